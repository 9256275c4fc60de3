"""Receivers that are slow, broken or mean: an attempt ends in time, reads little and goes nowhere else."""

import asyncio
import datetime as dt
import ssl
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from context.webhooks.delivery import Failure
from context.webhooks.destination import Reach
from context.webhooks.sender import Sender
from tests.webhooks.receiver import raw_receiver, receiver
from tests.webhooks.tenant import no_names

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def sender(timeout_s: float = 0.5, trust: ssl.SSLContext | None = None, **names: Sequence[str]) -> Sender:
    async def resolver(host: str, _port: int) -> Sequence[str]:
        return names[host.partition(".")[0]] if names else await no_names(host, 0)

    return Sender(resolver, Reach.LOOPBACK_TOO, trust, timeout_s)


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"", Failure.TIMEOUT),
        (b"HTTP/1.1 200", Failure.TIMEOUT),
        (b"HTTP/1.1 200 OK\r\nX: ", Failure.TIMEOUT),
    ],
)
async def test_a_receiver_that_hangs_costs_the_timeout_and_no_more(answer: bytes, failure: Failure) -> None:
    async with raw_receiver(answer, then_hang=True) as url:
        started_s = time.monotonic()
        result = await sender(0.3).send(url, {}, b"{}")
        assert (result.status, result.failure) == (None, failure)
        assert 0.25 <= time.monotonic() - started_s < 2
        assert 250 <= result.duration_ms < 2000


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 999999 what\r\n\r\n", b"\x16\x03\x01\x00\x00"])
async def test_a_receiver_that_speaks_no_http_is_logged_as_such(answer: bytes) -> None:
    async with raw_receiver(answer) as url:
        result = await sender(3).send(url, {}, b"{}")
        assert (result.status, result.failure) == (None, Failure.NO_HTTP)


async def test_endless_headers_are_not_read_to_their_end() -> None:
    async with raw_receiver(b"HTTP/1.1 200 OK\r\n" + b"X-Y: z\r\n" * 100_000, then_hang=True) as url:
        result = await sender(5).send(url, {}, b"{}")
        assert (result.status, result.failure) == (None, Failure.NO_HTTP)


async def test_an_answer_of_a_gigabyte_is_read_for_its_beginning_only() -> None:
    written = 0

    async def flood(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse(headers={"Content-Length": str(2**30)})
        await response.prepare(request)
        try:
            for _ in range(1024):
                await response.write(b"x" * 2**20)
                written += 2**20
        except ConnectionError:
            pass
        return response

    async with receiver(flood) as made:
        result = await sender(5).send(made.url, {}, b"{}")
    assert result.status == 200
    assert result.response == "x" * 500
    assert written < 50 * 2**20


async def test_a_body_that_never_ends_does_not_undo_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("context.webhooks.sender.SNIPPET_TIMEOUT_S", 0.1)
    async with raw_receiver(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nbegun", then_hang=True) as url:
        result = await sender(5).send(url, {}, b"{}")
        assert (result.status, result.failure) == (201, Failure.NONE)
        assert result.duration_ms < 3000


async def test_a_compressed_bomb_stays_compressed() -> None:
    bomb = b"\x1f\x8b\x08" + bytes(200)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    async with raw_receiver(head + bomb) as url:
        assert (await sender().send(url, {}, b"{}")).status == 200


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed_wherever_it_leads(status: int) -> None:
    async with receiver() as inside, receiver() as outside:
        outside.answer(web.Response(status=status, headers={"Location": inside.url}))
        result = await sender().send(outside.url, {}, b"{}")
        assert result.status == status
        assert inside.received == []


async def test_no_cookie_of_one_receiver_is_shown_to_another_or_to_itself() -> None:
    async with receiver() as made:
        made.answer(web.Response(headers={"Set-Cookie": "session=1; Path=/"}))
        each = sender()
        await each.send(made.url, {}, b"{}")
        await each.send(made.url, {}, b"{}")
        assert [request.headers.get("Cookie") for request in made.received] == [None, None]


async def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiver() as proxy, receiver() as made:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert (await sender().send(made.url, {}, b"{}")).status == 200
        assert proxy.received == []


async def test_the_log_masks_numbers_addresses_and_control_characters() -> None:
    async with receiver() as made:
        text = "\x00\x1b[31m" + "no caller +33 6 12 34 56 78, mail jo@example.org " * 30
        made.answer(web.Response(status=400, body=text.encode()))
        result = await sender().send(made.url, {}, b"{}")
    assert len(result.response) <= 500
    assert result.response.isprintable()
    assert "12 34" not in result.response
    assert "jo@" not in result.response
    assert "[phone], mail [email]" in result.response


async def test_bytes_that_are_no_text_are_logged_without_failing() -> None:
    async with raw_receiver(b"HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\n\xff\xfe\x00\x80") as url:
        result = await sender().send(url, {}, b"{}")
        assert result.status == 500
        result.response.encode()


async def test_a_closed_port_and_an_unknown_name_are_told_apart() -> None:
    async with raw_receiver(OK) as url:
        pass
    assert (await sender().send(url, {}, b"{}")).failure is Failure.CONNECTION_FAILED
    assert (await sender().send("https://nobody.example/", {}, b"{}")).failure is Failure.NAME_NOT_FOUND


async def test_a_look_up_that_hangs_counts_as_part_of_the_attempt() -> None:
    async def stuck(_host: str, _port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    slow = Sender(stuck, Reach.LOOPBACK_TOO, timeout_s=0.2)
    assert (await slow.send("https://stuck.example/", {}, b"{}")).failure is Failure.TIMEOUT


async def test_a_name_that_moves_inside_after_it_was_checked_is_refused_when_it_is_used() -> None:
    answers = [["93.184.216.34"], ["169.254.169.254"], ["127.0.0.1"]]

    async def moving(_host: str, _port: int) -> Sequence[str]:
        return answers.pop(0)

    each = Sender(moving, Reach.PUBLIC_ONLY, timeout_s=1)
    await each.check("https://rebound.example/")
    for _ in range(2):
        assert (await each.send("https://rebound.example/", {}, b"{}")).failure is Failure.DESTINATION_REFUSED


async def test_the_second_address_of_a_name_is_tried_when_the_first_takes_no_connection() -> None:
    async with receiver() as made:
        port = made.url.rpartition(":")[2].partition("/")[0]
        each = sender(5, hooks=["127.0.0.9", "127.0.0.1"])
        # Under LOOPBACK_TOO plain http is for this machine only, whatever its name.
        assert (await each.send(f"http://hooks.example:{port}/hook", {}, b"{}")).status == 200
        assert made.received[0].headers["Host"] == f"hooks.example:{port}"


@pytest.mark.parametrize(
    ("name", "status", "failure"),
    [("hooks.example", 200, Failure.NONE), ("other.example", None, Failure.TLS_FAILED)],
)
async def test_the_certificate_must_be_for_the_name_although_the_connection_goes_to_an_address(
    tmp_path: Path, name: str, status: int | None, failure: Failure
) -> None:
    served, trusted = _certificate(tmp_path, "hooks.example")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=served)
    port = server.sockets[0].getsockname()[1]
    each = sender(5, trusted, hooks=["127.0.0.1"], other=["127.0.0.1"])
    result = await each.send(f"https://{name}:{port}/", {}, b"{}")
    assert (result.status, result.failure) == (status, failure)
    server.close()


async def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    served, _ = _certificate(tmp_path, "hooks.example")
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=served)
    port = server.sockets[0].getsockname()[1]
    result = await sender(5, hooks=["127.0.0.1"]).send(f"https://hooks.example:{port}/", {}, b"{}")
    assert (result.status, result.failure) == (None, Failure.TLS_FAILED)
    server.close()


def _certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server that proves to be `name`, and a client that believes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    unencrypted = serialization.NoEncryption()
    key_bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unencrypted)
    pem.write_bytes(key_bytes + certificate.public_bytes(serialization.Encoding.PEM))
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(pem)
    trusted = ssl.create_default_context(cafile=str(pem))
    return served, trusted
