"""Events over REST: a tenant sees its own, adds its own, and never Parley's."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from context.events.event import Event
from context.events.log import EventLog
from context.events.subscription import Subscription
from context.security.principal import Scope
from context.store.transaction import TenantTransaction
from server.rest.events import followed
from tests.events.small_bus import QUICK, deliveries, running_bus, until_settled
from tests.rest.rest_server import LAKE, PARK, RestServer, rest_server

OWN: dict[str, Any] = {"type": "crm.deal_won", "id": "deal-1", "payload": {"deal": 4711, "new": {"field": [1, None]}}}


class Sick:
    """A subscriber of tenants' own events that fails until it is cured."""

    def __init__(self) -> None:
        self.sick = False

    async def handle(self, event: Event, transaction: TenantTransaction) -> None:
        if self.sick:
            raise RuntimeError("the desk is closed")


@pytest.fixture
async def sick() -> Sick:
    return Sick()


@pytest.fixture
async def rest(tmp_path: Path, sick: Sick) -> AsyncIterator[RestServer]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}"
    async with (
        rest_server(url, tmp_path) as server,
        running_bus(server.services.store, url, Subscription("desk", ("crm.*",), sick.handle), settings=QUICK),
    ):
        yield server


async def test_an_own_event_is_kept_handled_and_shown_as_it_was_sent(rest: RestServer) -> None:
    made = await rest.ask("POST", "/v1/events", json=OWN | {"correlation_id": "call-1"})
    assert made.status_code == 201, made.text
    await _until_handled(rest, "deal-1")
    shown = (await rest.ask("GET", "/v1/events/deal-1")).json()
    assert shown == made.json()
    assert (shown["type"], shown["payload"], shown["source"]) == ("crm.deal_won", OWN["payload"], "api")
    for query, found in (
        ("type=crm.*", 1),
        ("correlation_id=call-1", 1),
        ("type=call.*", 0),
        ("until=2020-01-01T00:00:00Z", 0),
    ):
        page = (await rest.ask("GET", f"/v1/events?{query}")).json()
        assert [event["id"] for event in page["items"]] == ["deal-1"] * found, query


async def test_the_same_event_again_changes_nothing_and_another_with_its_id_is_refused(rest: RestServer) -> None:
    first = await rest.ask("POST", "/v1/events", json=OWN)
    again = await rest.ask("POST", "/v1/events", json=OWN)
    assert again.json() == first.json()
    other = await rest.ask("POST", "/v1/events", json=OWN | {"payload": {"deal": 1}})
    assert (other.status_code, other.json()["code"]) == (409, "event_exists")
    assert (await rest.ask("GET", "/v1/events/deal-1")).json() == first.json()
    assert (await rest.ask("POST", "/v1/events", as_=LAKE, json=OWN)).status_code == 201, "another tenant's own"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"type": "call.completed"}, "type"),
        ({"type": "call.faked"}, "type"),
        ({"type": "invoice.sent"}, "type"),
        ({"type": "Nonsense"}, "type"),
        ({"id": "with space"}, "id"),
        ({"payload": {"text": "x" * 70_000}}, "payload"),
        ({"payload": {"deep": json.loads("[" * 30 + "]" * 30)}}, "payload"),
        ({"occurred_at": "0001-01-01T00:00:00Z"}, "occurred_at"),
        ({"unknown": 1}, "unknown"),
    ],
)
async def test_what_is_no_own_event_is_refused_by_its_field(
    rest: RestServer, changes: dict[str, Any], field: str
) -> None:
    refused = await rest.ask("POST", "/v1/events", json=OWN | changes)
    assert refused.status_code == 400, refused.text
    assert field in refused.text
    assert (await rest.ask("GET", "/v1/events/deal-1")).status_code == 404


async def test_another_tenants_events_are_not_there(rest: RestServer) -> None:
    await rest.ask("POST", "/v1/events", json=OWN)
    await _until_handled(rest, "deal-1")
    assert (await rest.ask("GET", "/v1/events/deal-1", as_=LAKE)).status_code == 404
    assert (await rest.ask("GET", "/v1/events?type=crm.*", as_=LAKE)).json()["items"] == []


async def test_pages_go_through_all_events_newest_first(rest: RestServer) -> None:
    for number in range(5):
        await rest.ask("POST", "/v1/events", json={"type": "crm.note", "id": f"n{number}"})
    await _until_handled(rest, "n4")
    found, cursor = list[str](), ""
    while True:
        page = (await rest.ask("GET", f"/v1/events?type=crm.note&limit=2{cursor}")).json()
        found += [event["id"] for event in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == ["n4", "n3", "n2", "n1", "n0"]


async def test_dead_letters_are_listed_and_retried_by_their_own_tenant_only(rest: RestServer, sick: Sick) -> None:
    sick.sick = True
    await rest.ask("POST", "/v1/events", json=OWN)
    await until_settled(rest.services.store, 1)
    (letter,) = (await rest.ask("GET", "/v1/events/dead-letters")).json()["items"]
    assert (letter["event_id"], letter["subscriber"], letter["attempts"]) == ("deal-1", "desk", 4)
    assert letter["error"] == "the desk is closed"
    assert (await rest.ask("GET", "/v1/events/dead-letters", as_=LAKE)).json()["items"] == []
    assert (await rest.ask("POST", "/v1/events/dead-letters/retry", as_=LAKE, json={})).json() == {"retried": 0}
    sick.sick = False
    assert (await rest.ask("POST", "/v1/events/dead-letters/retry", json={"subscriber": "desk"})).json() == {
        "retried": 1
    }
    await _until_handled(rest, "deal-1")
    assert (await rest.ask("GET", "/v1/events/dead-letters")).json()["items"] == []


async def test_reading_does_not_allow_publishing(rest: RestServer) -> None:
    reader = await rest.key_with(Scope.EVENTS_READ)
    refused = await rest.client.post("/v1/events", headers=reader, json=OWN)
    assert refused.status_code == 403
    refused = await rest.client.post("/v1/events/dead-letters/retry", headers=reader, json={})
    assert refused.status_code == 403


async def test_a_stream_begins_after_the_last_event_seen_and_goes_on_with_what_comes(rest: RestServer) -> None:
    for number in range(2):
        await rest.ask("POST", "/v1/events", json={"type": "crm.note", "id": f"n{number}"})
    await _until_handled(rest, "n1")
    log = EventLog(rest.services.store)
    seen = await anext(log.tail(0, PARK, ("crm.*",)))
    # The test's transport gives answers whole, so the body is read where the handler makes it.
    body = followed(log, PARK, seen.position, ["crm.*"])
    assert await anext(body) == b": following\n\n"
    await rest.ask("POST", "/v1/events", json={"type": "crm.note", "id": "n2"})
    await rest.ask("POST", "/v1/events", as_=LAKE, json={"type": "crm.note", "id": "theirs"})
    async with asyncio.timeout(20):
        parts = [(await anext(body)).decode().splitlines() for _ in range(2)]
    await body.aclose()  # type: ignore[attr-defined]
    assert [json.loads(lines[2].removeprefix("data: "))["id"] for lines in parts] == ["n1", "n2"]
    assert parts[0][1] == "event: crm.note"
    assert int(parts[1][0].removeprefix("id: ")) > int(parts[0][0].removeprefix("id: ")) > seen.position


@pytest.mark.parametrize("last", ["-1", "x", "99999999999999999999"])
async def test_a_place_in_the_stream_that_cannot_be_is_refused(rest: RestServer, last: str) -> None:
    refused = await rest.ask("GET", "/v1/events/stream", headers={"Last-Event-ID": last})
    assert refused.status_code == 400


async def _until_handled(rest: RestServer, event_id: str) -> None:
    async with asyncio.timeout(20):
        while not any(
            row["event_id"] == event_id and row["state"] == "handled" for row in await deliveries(rest.services.store)
        ):
            await asyncio.sleep(0.02)
