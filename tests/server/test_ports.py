"""Taking the ports."""

import socket

import pytest

from server.ports import Ports, PortUnavailable, Service, bind_all

FREE = Ports(api=0, voice=0, telephony=0)


def test_zero_takes_free_ports() -> None:
    sockets = bind_all("127.0.0.1", FREE)
    try:
        numbers = {sock.getsockname()[1] for sock in sockets.values()}
        assert set(sockets) == set(Service)
        assert len(numbers) == 3
        assert 0 not in numbers
    finally:
        for sock in sockets.values():
            sock.close()


@pytest.mark.parametrize("service", list(Service))
def test_a_port_in_use_is_named_with_what_to_do_and_nothing_stays_open(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = Ports(**{one.name.lower(): port if one is service else 0 for one in Service})
        with pytest.raises(PortUnavailable) as error:
            bind_all("127.0.0.1", ports)
    for hint in (str(port), "in use", service.flag, service.variable):
        assert hint in str(error.value)


def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(PortUnavailable, match=r"203\.0\.113\.7.*--host"):
        bind_all("203.0.113.7", FREE)
