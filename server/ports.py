"""The three ports of the server: which they are, and taking them with errors that say what to do.

Ports are bound before anything slow starts, so a port in use is reported at once. Used by `server.running`.
"""

import errno
import socket
from enum import Enum

import msgspec

BACKLOG = 512
"""Connections that may wait to be accepted: a burst of callers, not an attack."""


class Service(Enum):
    """What listens where; the value is the default port (product facts, section 2)."""

    API = 3004
    VOICE = 3007
    TELEPHONY = 3009

    @property
    def variable(self) -> str:
        """Environment variable of the port."""
        return f"PARLEY_PORT_{self.name}"

    @property
    def flag(self) -> str:
        """Command line flag of the port."""
        return f"--{self.name.lower()}-port"


class PortUnavailable(Exception):  # noqa: N818 - names what the operator meets
    """A port cannot be bound; the message names it and how to choose another."""


class Ports(msgspec.Struct, frozen=True):
    """Port per service; 0 takes any free one."""

    api: int = Service.API.value
    voice: int = Service.VOICE.value
    telephony: int = Service.TELEPHONY.value

    def of(self, service: Service) -> int:
        """The port of one service."""
        return {Service.API: self.api, Service.VOICE: self.voice, Service.TELEPHONY: self.telephony}[service]


def bind_all(host: str, ports: Ports) -> dict[Service, socket.socket]:
    """One listening socket a service. Raises PortUnavailable, with no socket left open."""
    bound: dict[Service, socket.socket] = {}
    try:
        for service in Service:
            bound[service] = _bind(host, ports.of(service), service)
    except PortUnavailable:
        for sock in bound.values():
            sock.close()
        raise
    return bound


def _bind(host: str, port: int, service: Service) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        raise PortUnavailable(_explain(host, port, service, error)) from error
    sock.setblocking(False)
    return sock


def _explain(host: str, port: int, service: Service, error: Exception) -> str:
    code = error.errno if isinstance(error, OSError) else None
    where = f"port {port} ({service.name.lower()})"
    other = f"choose another with {service.flag} or {service.variable}, 0 for any free one"
    if code == errno.EADDRINUSE:
        return f"{where} is in use, perhaps by another Parley; stop that, or {other}"
    if code == errno.EACCES:
        return f"{where} needs more rights than this user has; {other}"
    if code == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return f"{host} is no address of this machine; choose one with --host, such as 127.0.0.1 or 0.0.0.0"
    return f"{where} cannot be opened on {host}: {error}; {other}"
