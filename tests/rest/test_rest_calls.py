"""Calls over REST: finding them, reading them, listening to them."""

import datetime as dt

import pytest

from tests.rest.rest_server import FRIDAY, LAKE, PARK, RestServer
from voice_core.responder import Outcome


async def test_calls_are_listed_newest_first_page_by_page(rest_on_each: RestServer) -> None:
    rest = rest_on_each
    for number in range(7):
        await rest.call_made(f"call-{number}", started_at=FRIDAY.timestamp() + 60 * (number // 2))
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await rest.ask("GET", f"/v1/calls?limit=3{cursor}")).json()
        seen += [call["id"] for call in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [f"call-{number}" for number in (6, 5, 4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["french", "english"]),
        ("?language=fr", ["french"]),
        ("?outcome=booked", ["english"]),
        ("?outcome=transferred", []),
        ("?channel=phone&direction=inbound", ["french", "english"]),
        ("?channel=browser", []),
        ("?state=ended", ["french", "english"]),
        ("?state=active", []),
        ("?since=2026-11-20T09:00:00%2B01:00", ["french"]),
        ("?until=2026-11-20T08:00:00Z", ["english"]),
        ("?contact=nobody", []),
    ],
)
async def test_calls_are_found_by_what_they_were(rest: RestServer, query: str, found: list[str]) -> None:
    nine = dt.datetime(2026, 11, 20, 9, tzinfo=FRIDAY.tzinfo).timestamp()
    await rest.call_made("english", started_at=nine - 1)
    await rest.call_made("french", started_at=nine, language="fr", outcome=Outcome.ABANDONED)
    answer = await rest.ask("GET", f"/v1/calls{query}")
    assert [call["id"] for call in answer.json()["items"]] == found


async def test_calls_are_found_by_contact(rest: RestServer) -> None:
    await rest.call_made("hers")
    await rest.call_made("his")
    ann = await rest.services.contacts.find_or_make(PARK, (rest.services.contacts.phone(PARK, "+33612345678"),))
    await rest.services.contacts.link_call(PARK, "hers", ann.id)
    answer = await rest.ask("GET", f"/v1/calls?contact={ann.id}")
    assert [call["id"] for call in answer.json()["items"]] == ["hers"]


async def test_one_call_tells_what_was_said_and_where_its_time_went(rest: RestServer) -> None:
    await rest.call_made()
    call = (await rest.ask("GET", "/v1/calls/call-1")).json()
    assert (call["outcome"], call["channel"], call["turns"], call["has_recording"]) == ("booked", "phone", 2, True)
    assert call["started_at"] == "2026-11-20T06:30:00Z"
    transcript = (await rest.ask("GET", "/v1/calls/call-1/transcript")).json()
    assert [said["role"] for said in transcript["utterances"]] == ["agent", "caller"]
    assert transcript["utterances"][0]["intended"] == "Hello, how can I help?"
    assert transcript["tools"][0]["result"] == {"booking_id": "b1"}
    timeline = (await rest.ask("GET", "/v1/calls/call-1/timeline")).json()
    assert timeline["turns"][1] == {"turn": 2, "stages_ms": {"first_frame_ms": 380.0}}


async def test_a_live_call_is_listed_and_has_no_transcript_yet(rest: RestServer) -> None:
    from context.calls.completed import CallDetails

    await rest.services.calls.begin(
        PARK, "live", started_at=FRIDAY.timestamp(), language="en", details=CallDetails(channel="phone")
    )
    assert (await rest.ask("GET", "/v1/calls/live")).json()["state"] == "active"
    answer = await rest.ask("GET", "/v1/calls/live/transcript")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await rest.ask("GET", "/v1/calls/live/recording")).status_code == 404


async def test_a_call_of_another_tenant_does_not_exist(rest: RestServer) -> None:
    await rest.call_made()
    unknown = await rest.ask("GET", "/v1/calls/nothing", as_=LAKE)
    for part in ("", "/transcript", "/timeline", "/recording"):
        answer = await rest.ask("GET", f"/v1/calls/call-1{part}", as_=LAKE)
        assert (answer.status_code, answer.json()) == (404, unknown.json())
    assert (await rest.ask("GET", "/v1/calls", as_=LAKE)).json()["items"] == []


WHOLE = b"RIFF" + bytes(range(256)) * 8


@pytest.mark.parametrize(
    ("asked", "status", "part", "content_range"),
    [
        (None, 200, WHOLE, None),
        ("bytes=0-3", 206, b"RIFF", "bytes 0-3/2052"),
        ("bytes=4-", 206, WHOLE[4:], "bytes 4-2051/2052"),
        ("bytes=-5", 206, WHOLE[-5:], "bytes 2047-2051/2052"),
        ("bytes=2000-99999", 206, WHOLE[2000:], "bytes 2000-2051/2052"),
        ("bytes=-99999", 206, WHOLE, "bytes 0-2051/2052"),
        ("bytes=2052-", 416, None, "bytes */2052"),
        ("bytes=-0", 416, None, "bytes */2052"),
        ("bytes=5-2", 200, WHOLE, None),
        ("bytes=0-1,4-5", 200, WHOLE, None),
        ("bytes=-", 200, WHOLE, None),
        ("words=1-2", 200, WHOLE, None),
    ],
)
async def test_a_recording_comes_whole_or_in_the_part_asked_for(
    rest: RestServer, asked: str | None, status: int, part: bytes | None, content_range: str | None
) -> None:
    await rest.call_made()
    answer = await rest.ask("GET", "/v1/calls/call-1/recording", headers={"Range": asked} if asked else {})
    assert answer.status_code == status
    assert answer.headers.get("content-range") == content_range
    if part is None:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "range_not_satisfiable"
    else:
        assert answer.content == part
        assert answer.headers["content-type"].startswith("audio/wav")
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["content-length"] == str(len(part))


async def test_a_part_of_a_recording_that_has_changed_is_the_whole_of_the_new_one(rest: RestServer) -> None:
    await rest.call_made()
    tag = (await rest.ask("GET", "/v1/calls/call-1/recording")).headers["etag"]
    wanted = {"Range": "bytes=0-3", "If-Range": tag}
    assert (await rest.ask("GET", "/v1/calls/call-1/recording", headers=wanted)).status_code == 206
    (rest.services.recordings / "call-1.wav").write_bytes(b"RIFFother")
    answer = await rest.ask("GET", "/v1/calls/call-1/recording", headers=wanted)
    assert (answer.status_code, answer.content) == (200, b"RIFFother")


async def test_a_recording_that_was_erased_is_not_found(rest: RestServer) -> None:
    await rest.call_made()
    (rest.services.recordings / "call-1.wav").unlink()
    assert (await rest.ask("GET", "/v1/calls/call-1/recording")).status_code == 404
