"""Who counts as "this machine"."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request

from telephony.peer import Peer, peer_of


def peer(address: str, **headers: str) -> Peer:
    connection: Any = SimpleNamespace(remote_address=(address, 50_000))
    request = Request("/v1/voice", Headers({name.replace("_", "-"): value for name, value in headers.items()}))
    return peer_of(cast(ServerConnection, connection), request)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_this_machine(address: str) -> None:
    assert peer(address).local


@pytest.mark.parametrize("address", ["192.168.1.2", "203.0.113.1", "::ffff:10.0.0.1", "fe80::1", ""])
def test_any_other_address_is_not(address: str) -> None:
    assert not peer(address).local


@pytest.mark.parametrize("origin", ["http://localhost:3004", "http://127.0.0.1:3004", "http://[::1]:3004"])
def test_a_page_of_this_machine_may_connect(origin: str) -> None:
    assert peer("127.0.0.1", Origin=origin).local


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "file://"])
def test_a_foreign_page_in_a_local_browser_is_not_this_machine(origin: str) -> None:
    assert not peer("127.0.0.1", Origin=origin).local


def test_whoever_comes_through_a_proxy_is_not_this_machine_and_is_counted_by_the_address_the_proxy_saw() -> None:
    assert peer("127.0.0.1", X_Forwarded_For="127.0.0.1, 203.0.113.5") == Peer("203.0.113.5", local=False)
    assert not peer("127.0.0.1", Forwarded="for=127.0.0.1").local
    assert not peer("127.0.0.1", Via="1.1 proxy").local


def test_a_stranger_cannot_choose_the_address_that_it_is_counted_by() -> None:
    assert peer("203.0.113.1", X_Forwarded_For="10.0.0.1").address == "203.0.113.1"
