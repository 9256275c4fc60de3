"""The life of the server: take the ports, load the engines, carry calls, say goodbye.

Ports answer from the first moment ("starting"), calls are taken when the models are warm, and the first Ctrl-C ends
live calls politely. Run by `parley serve`.
"""

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

import msgspec
import structlog

from server.call_desk import CallDesk
from server.composition import StateSettings, build_equipment, settle_memory
from server.health import Health
from server.http_app import HttpListener, TalkPage, health_app
from server.loading import Progress
from server.ports import Ports, Service, bind_all
from server.stall_watchdog import StallWatchdog
from telephony.admission import VoiceSocketLimits
from telephony.voice_socket import PATH, VoiceSocket

GOODBYE_S = 10.0
"""How long live calls get to end politely."""

CALL_ID_BYTES = 12
EXIT_INTERRUPTED = 130

log = structlog.get_logger(__name__)


class ServerSettings(msgspec.Struct, frozen=True):
    """How to run. host: address that all three ports listen on."""

    host: str = "127.0.0.1"
    ports: Ports = Ports()
    state: StateSettings = StateSettings()
    limits: VoiceSocketLimits = VoiceSocketLimits()


async def run_server(settings: ServerSettings, say: Callable[[str], None]) -> None:
    """Serve until a signal. say: prints one line for the operator.

    Raises PortUnavailable, ContextError and VoiceError when the server cannot start.
    """
    stopping = _stop_on_signals(say)
    sockets = bind_all(settings.host, settings.ports)
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
        page = TalkPage(ports[Service.VOICE])
        for app, service in ((health_app(health, page), Service.API), (health_app(health), Service.TELEPHONY)):
            listener = HttpListener(app, sockets[service])
            stack.push_async_callback(listener.close)
        _say_where(say, settings.host, ports)

        progress = Progress(say, health, time.monotonic)
        if not await _load(stack, settings.state, progress, desk, stopping):
            return
        health.ready()
        watchdog = StallWatchdog(time.monotonic)
        watchdog.start()
        stack.callback(watchdog.stop)
        say(
            f"Parley is ready: open {_url('http', settings.host, ports[Service.API])}/ and press Talk. Ctrl-C stops it."
        )
        log.info("ready", **{f"{service.name.lower()}_port": port for service, port in ports.items()})

        await stopping.wait()
        health.stopping()
        if voice.live_calls:
            say(f"Saying goodbye in {voice.live_calls} live call(s); Ctrl-C again to quit at once.")
        await voice.wind_down(GOODBYE_S)
    say("Stopped.")


async def _load(
    stack: AsyncExitStack, state: StateSettings, progress: Progress, desk: CallDesk, stopping: asyncio.Event
) -> bool:
    """Build the equipment and open the desk; False when a signal came first."""
    building = asyncio.create_task(build_equipment(stack, state, progress), name="start")
    stopped = asyncio.create_task(stopping.wait(), name="stop while starting")
    await asyncio.wait((building, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not building.done():
        building.cancel()
        await asyncio.gather(building, return_exceptions=True)
        return False
    desk.open(await building)
    settle_memory()
    return True


def _stop_on_signals(say: Callable[[str], None]) -> asyncio.Event:
    """An event that the first SIGINT or SIGTERM sets; the second one quits."""
    stopping = asyncio.Event()

    def on_signal() -> None:
        if stopping.is_set():
            say("Quit.")
            sys.stdout.flush()
            # Threads of the engines may be busy for seconds; whoever presses twice does not want to wait.
            os._exit(EXIT_INTERRUPTED)
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    return stopping


def _say_where(say: Callable[[str], None], host: str, ports: dict[Service, int]) -> None:
    say(f"  pages and REST    {_url('http', host, ports[Service.API])}/")
    say(f"  voice socket      {_url('ws', host, ports[Service.VOICE])}{PATH}")
    say(f"  telephony bridge  {_url('http', host, ports[Service.TELEPHONY])}/")


def _url(scheme: str, host: str, port: int) -> str:
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"{scheme}://{f'[{reachable}]' if ':' in reachable else reachable}:{port}"
