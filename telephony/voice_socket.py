"""`/v1/voice`: one WebSocket connection is one call.

The client says what it wants (query string or first message), then audio and a few messages go both ways; whatever a
client does wrong ends its own call with an `error` and a clean close. The protocol for client authors is
docs/voice-socket.md; the server room starts this on port 3007 and passes in the factory of calls.
"""

import asyncio
import contextlib
import functools
import logging
import math
import socket
import urllib.parse
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from telephony.admission import ConnectLimiter, Intake, VoiceSocketLimits
from telephony.calls import CallFactory, CallRefused, LiveCall
from telephony.peer import Peer, peer_of
from telephony.voice_leg import WebSocketLeg, WireFormat, encode_notice
from telephony.voice_messages import (
    CLOSE_GOING_AWAY,
    CLOSE_INTERNAL,
    CLOSE_POLICY,
    CLOSE_TRY_LATER,
    DtmfMessage,
    HangupMessage,
    Message,
    ProtocolViolation,
    StartMessage,
    TextMessage,
    check_start,
    parse_message,
    start_from_query,
)
from voice_core.notices import ErrorNotice

PATH = "/v1/voice"

OPEN_TIMEOUT_S = 5.0
"""For the whole HTTP request: a client that drips its headers is cut off here."""

PING_INTERVAL_S = 20.0
PING_TIMEOUT_S = 20.0
"""A far end that vanished without closing TCP is noticed after at most 40 s."""

CLOSE_TIMEOUT_S = 2.0

READ_QUEUE_MESSAGES = 32
"""Messages read ahead of the handler; above it TCP slows the client down."""

WRITE_LIMIT_BYTES = 16 * 1024
SEND_BUFFER_BYTES = 64 * 1024
"""Small, so that a client that does not read is noticed by our own queue within seconds, not megabytes later."""

END_TIMEOUT_S = 10.0
"""How long a call may take to end and store its record once its client has gone."""

IDLE_GRAIN_S = 0.1
"""How exact the idle limit is: moving a timer costs a tenth of what a frame costs."""

RETRY_AFTER_FULL_S = 10
RETRY_AFTER_WARMING_S = 5

_CLIENT_GONE = "caller_hung_up"

_quiet = logging.getLogger(f"{__name__}.websockets")
_quiet.setLevel(logging.CRITICAL)
"""websockets logs a traceback for every scanner that fails its handshake; what matters is logged here."""

log = structlog.get_logger(__name__)


class VoiceConnection(ServerConnection):
    """A connection that says `error` before it closes on a frame that websockets itself refuses.

    Too large a message, invalid UTF-8 and broken framing never reach the handler: websockets fails the connection
    while parsing. Clients are promised an `error` first, so it is written there.
    """

    def __init__(self, protocol: ServerProtocol, server: Server, **options: Any) -> None:
        super().__init__(protocol, server, **options)
        fail = protocol.fail

        def explain_and_fail(code: CloseCode | int, reason: str = "") -> None:
            if protocol.state is State.OPEN and code in _PARSE_ERRORS:
                notice = ErrorNotice(code=_PARSE_ERRORS[code], message=reason or "The frame cannot be read")
                protocol.send_text(encode_notice(notice).encode())
            fail(code, reason)

        protocol.fail = explain_and_fail


_PARSE_ERRORS: dict[int, str] = {
    CloseCode.MESSAGE_TOO_BIG: "too_large",
    CloseCode.INVALID_DATA: "bad_text",
    CloseCode.PROTOCOL_ERROR: "bad_frame",
}


class VoiceSocket:
    """Accepts calls on `/v1/voice` and carries them.

    health: answers GET requests to other paths, (status, body) or None for 404. refusal: why no call can be taken
    now (starting or draining), or None.
    """

    def __init__(
        self,
        calls: CallFactory,
        *,
        health: Callable[[str], tuple[HTTPStatus, str] | None],
        refusal: Callable[[], str | None],
        limits: VoiceSocketLimits,
        clock: Callable[[], float],
    ) -> None:
        self._calls = calls
        self._health = health
        self._refusal = refusal
        self._limits = limits
        self._clock = clock
        self._connects = ConnectLimiter(limits.connects_per_minute)
        self._waiting = 0
        self._live: set[LiveCall] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def live_calls(self) -> int:
        """Calls going on."""
        return len(self._live)

    async def listen(self, sock: socket.socket) -> Server:
        """Start accepting on a bound socket; the caller closes the server."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        return await serve(
            self.handle,
            sock=sock,
            process_request=self.admit,
            create_connection=VoiceConnection,
            compression=None,  # audio does not compress, and deflate costs 300 kB and a millisecond a connection
            open_timeout=OPEN_TIMEOUT_S,
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PING_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=self._limits.message_bytes,
            max_queue=READ_QUEUE_MESSAGES,
            write_limit=WRITE_LIMIT_BYTES,
            server_header=None,
            logger=_quiet,
        )

    async def wind_down(self, within_s: float) -> None:
        """Ask every live call to say goodbye; those that still go on after `within_s` are hung up."""
        for call in tuple(self._live):
            call.wind_down()
        if await self._all_ended(within_s):
            return
        log.warning("calls_cut_off", calls=len(self._live))
        for call in tuple(self._live):
            call.hang_up("shutdown")
        await self._all_ended(CLOSE_TIMEOUT_S)

    async def _all_ended(self, within_s: float) -> bool:
        try:
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a plain HTTP request, or None to go on with the WebSocket handshake."""
        path = urllib.parse.urlsplit(request.path).path
        if path != PATH:
            answer = self._health(path) or (HTTPStatus.NOT_FOUND, f"Nothing here. The voice socket is at {PATH}.\n")
            return connection.respond(*answer)
        peer = peer_of(connection, request)
        if not peer.local:
            wait_s = self._connects.admit(peer.address, self._clock())
            if wait_s > 0:
                return _try_later(connection, HTTPStatus.TOO_MANY_REQUESTS, "Too many connections.", wait_s)
        refusal = self._refusal()
        if refusal is not None:
            return _try_later(connection, HTTPStatus.SERVICE_UNAVAILABLE, refusal, RETRY_AFTER_WARMING_S)
        if len(self._live) >= self._limits.sessions or self._waiting >= self._limits.waiting:
            return _try_later(connection, HTTPStatus.SERVICE_UNAVAILABLE, "All lines are busy.", RETRY_AFTER_FULL_S)
        return None

    async def handle(self, connection: ServerConnection) -> None:
        """Carry one connection from its start message to its close."""
        request = connection.request
        if request is None:  # websockets sets it before it calls the handler
            return
        self._waiting += 1
        try:
            start = await self._start_of(connection, request)
        except ProtocolViolation as violation:
            await _refuse(connection, violation.code, str(violation), violation.close_code)
            return
        except ConnectionClosed:
            return
        finally:
            self._waiting -= 1
        if len(self._live) >= self._limits.sessions:
            await _refuse(connection, "busy", "All lines are busy, try again later.", CLOSE_TRY_LATER)
            return
        await self._carry(connection, start, peer_of(connection, request))

    async def _start_of(self, connection: ServerConnection, request: Request) -> StartMessage:
        start = start_from_query(urllib.parse.urlsplit(request.path).query)
        if start is not None:
            return start
        try:
            async with asyncio.timeout(self._limits.start_s):
                first = await connection.recv()
        except TimeoutError:
            message = f"No start message within {self._limits.start_s:g} s"
            raise ProtocolViolation("start_timeout", message) from None
        if isinstance(first, bytes):
            raise ProtocolViolation("start_expected", "The first message must be JSON of type start, not audio")
        message = parse_message(first)
        if not isinstance(message, StartMessage):
            raise ProtocolViolation("start_expected", "The first message must be of type start")
        return check_start(message)

    async def _carry(self, connection: ServerConnection, start: StartMessage, peer: Peer) -> None:
        leg = WebSocketLeg(connection, start.rate_hz, start.format, self._limits, self._clock)
        try:
            call = await self._calls(leg, start, peer)
        except CallRefused as refused:
            leg.fail(refused.code, str(refused), CLOSE_POLICY)
            await _reading_on(connection, leg.hang_up())
            return
        except Exception:
            log.exception("call_not_started")
            leg.fail("internal_error", "The call could not be started.", CLOSE_INTERNAL)
            await _reading_on(connection, leg.hang_up())
            return
        self._live.add(call)
        self._idle.clear()
        try:
            await self._converse(connection, start, leg, call)
        finally:
            self._live.discard(call)
            if not self._live:
                self._idle.set()
            await _reading_on(connection, leg.hang_up())

    async def _converse(
        self, connection: ServerConnection, start: StartMessage, leg: WebSocketLeg, call: LiveCall
    ) -> None:
        """Run the call beside the reader of its socket; whichever ends first ends the other."""
        leg.when_stuck(functools.partial(self._stuck, leg, call))
        running = asyncio.create_task(_run(call, leg), name="voice call")
        reading = asyncio.create_task(self._read(connection, start, leg, call), name="voice reader")
        try:
            await asyncio.wait((running, reading), return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                call.hang_up(await reading)
                async with asyncio.timeout(END_TIMEOUT_S):
                    await running
        except TimeoutError:
            log.error("call_did_not_end", after_s=END_TIMEOUT_S)
        finally:
            reading.cancel()
            running.cancel()
            await asyncio.gather(reading, running, return_exceptions=True)

    @staticmethod
    def _stuck(leg: WebSocketLeg, call: LiveCall) -> None:
        leg.fail("not_reading", "The client does not read the agent's audio.", CLOSE_POLICY)
        call.hang_up("not_reading")

    async def _read(self, connection: ServerConnection, start: StartMessage, leg: WebSocketLeg, call: LiveCall) -> str:
        """Feed the call until the client leaves or breaks the protocol; returns the reason to hang up."""
        intake = Intake(self._limits, self._clock())
        wire = WireFormat(start.format)
        loop = asyncio.get_running_loop()
        reschedule_at = 0.0
        try:
            async with asyncio.timeout(self._limits.idle_s) as deadline:
                while True:
                    data = await connection.recv()
                    now = self._clock()
                    if now >= reschedule_at:
                        deadline.reschedule(loop.time() + self._limits.idle_s)
                        reschedule_at = now + IDLE_GRAIN_S
                    if not intake.message(now):
                        raise ProtocolViolation("too_fast", "Too many messages a second")
                    if isinstance(data, bytes):
                        pcm = wire.decode(data)
                        if not intake.audio(len(pcm) / start.rate_hz, now):
                            raise ProtocolViolation("too_fast", "Audio arrives faster than real time")
                        if len(pcm):
                            call.push_audio(pcm)
                        continue
                    message = parse_message(data)
                    if isinstance(message, HangupMessage):
                        return _CLIENT_GONE
                    _deliver(message, call)
        except ConnectionClosed:
            return _CLIENT_GONE
        except TimeoutError:
            leg.fail("idle", f"Nothing was received for {self._limits.idle_s:g} s", CLOSE_GOING_AWAY)
            return "idle"
        except ProtocolViolation as violation:
            leg.fail(violation.code, str(violation), violation.close_code)
            return violation.code
        except Exception:
            log.exception("reader_failed")
            leg.fail("internal_error", "The call broke down.", CLOSE_INTERNAL)
            return "internal_error"


def _deliver(message: Message, call: LiveCall) -> None:
    """Hand one message of a running call to the call. Raises ProtocolViolation already_started."""
    match message:
        case TextMessage(text=text):
            call.push_text(text)
        case DtmfMessage(digits=digits, digit=digit):
            for key in digits + digit:
                call.push_dtmf(key)
        case _:
            raise ProtocolViolation("already_started", "The call has started already")


async def _run(call: LiveCall, leg: WebSocketLeg) -> None:
    try:
        await call.run()
    except Exception:
        log.exception("call_failed")
        leg.fail("internal_error", "The call broke down.", CLOSE_INTERNAL)


async def _refuse(connection: ServerConnection, code: str, message: str, close_code: int) -> None:
    """Say why no call starts, then close."""
    try:
        await connection.send(encode_notice(ErrorNotice(code=code, message=message)))
    except ConnectionClosed:
        return
    await _reading_on(connection, connection.close(close_code, code))


async def _reading_on(connection: ServerConnection, closing: Coroutine[Any, Any, None]) -> None:
    """Close while discarding what the client still sends.

    Its answer to our close comes after that, and unread data would make TCP reset the connection, which can take
    our last messages with it.
    """

    async def discard() -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await connection.recv()

    discarding = asyncio.create_task(discard(), name="voice discard")
    try:
        await closing
    finally:
        discarding.cancel()


def _try_later(connection: ServerConnection, status: HTTPStatus, why: str, after_s: float) -> Response:
    response = connection.respond(status, f"{why}\n")
    response.headers["Retry-After"] = str(math.ceil(after_s))
    return response
