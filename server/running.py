"""The life of the server: take the ports, load the engines, carry calls, say goodbye.

Ports answer from the first moment ("starting"), calls are taken when the models are warm, and the first Ctrl-C ends
live calls politely. Run by `parley serve`.
"""

import asyncio
import secrets
import socket
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import structlog

from server.call_desk import CallDesk, Equipment
from server.composition import build_equipment, settle_memory
from server.ground import Ground, StateSettings, lay_ground, open_tenants
from server.health import Health
from server.housekeeping import keep_house
from server.http_app import HttpListener, api_app, health_app
from server.loading import Progress
from server.ports import Service
from server.rest.services import ServiceDoor, Services
from server.services import build_services, jobs
from server.signals import quit_now, stop_on_signals
from server.stall_watchdog import StallWatchdog
from telephony.admission import VoiceSocketLimits
from telephony.voice_socket import PATH, VoiceSocket

GOODBYE_S = 10.0
"""How long live calls get to end politely."""

CALL_ID_BYTES = 12

log = structlog.get_logger(__name__)


class ServerSettings(msgspec.Struct, frozen=True):
    """How to run. host: address that all three ports listen on, to say where they are."""

    host: str = "127.0.0.1"
    state: StateSettings = StateSettings()
    limits: VoiceSocketLimits = VoiceSocketLimits()


async def run_server(
    settings: ServerSettings, sockets: Mapping[Service, socket.socket], say: Callable[[str], None]
) -> None:
    """Serve until a signal. sockets: listening, from `ports.bind_all`. say: prints one line for the operator.

    Raises ContextError and VoiceError when the server cannot start.
    """
    stopping = stop_on_signals(say)
    ports = {service: sock.getsockname()[1] for service, sock in sockets.items()}
    health = Health()
    desk = CallDesk(new_call_id=lambda: secrets.token_hex(CALL_ID_BYTES))
    async with AsyncExitStack() as stack:
        voice = VoiceSocket(
            desk, health=health.answer, refusal=health.refusal, limits=settings.limits, clock=time.monotonic
        )
        voice_server = await voice.listen(sockets[Service.VOICE])
        stack.push_async_callback(voice_server.wait_closed)
        stack.callback(voice_server.close)
        door = ServiceDoor()
        api = api_app(door, health, ports[Service.VOICE])
        for app, service in ((api, Service.API), (health_app(health), Service.TELEPHONY)):
            listener = HttpListener(app, sockets[service])
            stack.push_async_callback(listener.close)
        _say_where(say, settings.host, ports)

        loaded = await _load(stack, settings.state, Progress(say, health, time.monotonic), desk, door, stopping)
        if loaded:
            health.ready()
            watchdog = StallWatchdog(time.monotonic)
            watchdog.start()
            stack.callback(watchdog.stop)
            say(f"Parley is ready: open {_url('http', settings.host, ports[Service.API])}/ and press Talk.")
            log.info("ready", **{f"{service.name.lower()}_port": port for service, port in ports.items()})
            await stopping.wait()
        health.stopping()
        door.close()
        if voice.live_calls:
            say(f"Saying goodbye in {voice.live_calls} live call(s); Ctrl-C again to quit at once.")
        await voice.wind_down(GOODBYE_S)
    say("Stopped.")
    if not loaded:
        quit_now(0)


async def _load(
    stack: AsyncExitStack,
    state: StateSettings,
    progress: Progress,
    desk: CallDesk,
    door: ServiceDoor,
    stopping: asyncio.Event,
) -> bool:
    """Lay the ground, build what calls and requests need, open desk and door; False when a signal came first."""

    async def build() -> tuple[Ground, Equipment, Services]:
        ground = await lay_ground(stack, state, progress)
        equipment = await build_equipment(stack, ground, progress)
        await open_tenants(ground, progress)
        return ground, equipment, build_services(ground, equipment)

    building = asyncio.create_task(build(), name="start")
    stopped = asyncio.create_task(stopping.wait(), name="stop while starting")
    await asyncio.wait((building, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not building.done():
        building.cancel()
        await asyncio.gather(building, return_exceptions=True)
        return False
    ground, equipment, services = await building
    stack.push_async_callback(services.text_turns.aclose)
    _keep_running(stack, ground.tenants.watch(), "watch tenants")
    _keep_running(stack, keep_house(jobs(ground, services)), "housekeeping")
    ground.tenants.on_change(desk.end_calls_of)
    desk.open(equipment)
    door.open(services)
    settle_memory()
    return True


def _keep_running(stack: AsyncExitStack, work: Coroutine[Any, Any, None], name: str) -> None:
    """Run `work` beside everything else until `stack` closes."""
    task = asyncio.create_task(work, name=name)

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(stop)


def _say_where(say: Callable[[str], None], host: str, ports: dict[Service, int]) -> None:
    say(f"  pages and REST    {_url('http', host, ports[Service.API])}/")
    say(f"  voice socket      {_url('ws', host, ports[Service.VOICE])}{PATH}")
    say(f"  telephony bridge  {_url('http', host, ports[Service.TELEPHONY])}/")


def _url(scheme: str, host: str, port: int) -> str:
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"{scheme}://{f'[{reachable}]' if ':' in reachable else reachable}:{port}"
