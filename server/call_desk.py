"""Answers a leg: finds the tenant, builds the call from the shared engines, stores what it leaves.

The factory of calls that the transports are given. It exists before the engines are loaded, so that ports can answer
"starting"; `open` gives it what it needs.
"""

import asyncio
import datetime as dt
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from weakref import WeakSet

import msgspec
import structlog

from context.calls.completed import CallDetails
from context.calls.store import CallStore
from context.errors import StoreError
from context.security.principal import Scope
from context.tenants.config import TenantConfig
from context.tenants.directory import ChangeKind, TenantChange
from server.callers import Callers
from server.embedded import Embedded
from server.responders import ResponderFactory
from server.tenant_runtimes import EMBEDDED, TenantRuntime, TenantRuntimes
from telephony.calls import CallRefused, LiveCall
from telephony.peer import Peer
from telephony.voice_messages import StartMessage
from voice_core.call import CallSettings, VoiceCall
from voice_core.leg import Leg
from voice_core.pacer import Pacer
from voice_core.record import CallRecord
from voice_core.recorder import CallRecorder
from voice_core.speech import Recognizer
from voice_core.vad_hub import VadHub

PRIVATE_FILE_MODE = 0o600
EVENT_LOG = ".events.jsonl"

CHANNEL = "websocket"
"""What `call.completed` calls the voice socket."""

log = structlog.get_logger(__name__)


class Equipment(msgspec.Struct, frozen=True):
    """What calls share.

    callers: knows which tenant a key opens. recordings: folder of recordings and event logs. known_caller: tenant id
    and number -> what is known of that caller, for a model; "" for a stranger. smart_turn: wraps the recogniser of
    tenants that ask for it, None when the model is not there.
    """

    callers: Callers
    embedded: Embedded
    runtimes: TenantRuntimes
    responders: ResponderFactory
    vad: VadHub
    pacer: Pacer
    calls: CallStore
    recordings: Path
    wall_clock: Callable[[], dt.datetime]
    known_caller: Callable[[str, str], Awaitable[str]]
    smart_turn: Callable[[Recognizer], Recognizer] | None = None


class CallDesk:
    """The factory of calls (implements `telephony.calls.CallFactory`). new_call_id: makes unique ids."""

    def __init__(self, new_call_id: Callable[[], str]) -> None:
        self._new_call_id = new_call_id
        self._equipment: Equipment | None = None
        self._live: dict[str, WeakSet[VoiceCall]] = {}

    def open(self, equipment: Equipment) -> None:
        """Take calls from now on."""
        self._equipment = equipment

    async def end_calls_of(self, change: TenantChange) -> None:
        """Let live calls say goodbye when their tenant takes no calls any more."""
        if change.kind is ChangeKind.CLOSED:
            for call in tuple(self._live.pop(change.tenant.id, ())):
                call.wind_down("tenant_closed")

    async def __call__(self, leg: Leg, start: StartMessage, peer: Peer) -> LiveCall:
        """Build the call. Raises CallRefused: starting, unauthorized, unsupported_language, suspended, unavailable."""
        equipment = self._equipment
        if equipment is None:
            raise CallRefused("starting", "Parley is starting, try again in a few seconds.")
        admitted = await equipment.callers.admit(start.key, peer)
        if start.caller is not None and not admitted.may_name_caller:
            raise CallRefused("unauthorized", f"caller: naming the caller needs {Scope.CONTACTS_READ}.")
        tenant = admitted.tenant
        language = language_for(tenant, start.language)
        runtime = equipment.runtimes.of(tenant.id)
        if runtime is None:
            raise CallRefused("unavailable", "This line cannot be answered at the moment.")
        known = await equipment.known_caller(tenant.id, start.caller) if start.caller else ""
        recognizer = _recognizer_for(equipment, runtime, start.language, language)
        if equipment.smart_turn is not None and tenant.engines.turn_end == "smart-turn":
            recognizer = equipment.smart_turn(recognizer)
        call_id = self._new_call_id()
        structlog.contextvars.bind_contextvars(call_id=call_id, tenant_id=tenant.id)
        recording = equipment.recordings / f"{call_id}.wav"
        recorder = CallRecorder(recording, leg.sample_rate)
        details = CallDetails(channel=CHANNEL, persona_id=tenant.persona.id, caller=start.caller or "")
        beginning = asyncio.create_task(
            equipment.calls.begin(
                tenant.id,
                call_id,
                started_at=equipment.wall_clock().timestamp(),
                language=language,
                details=details,
            ),
            name="begin call",
        )
        archive = _Archive(equipment.calls, tenant.id, beginning, details, recorder, recording.with_suffix(EVENT_LOG))
        log.info("call_started", language=language, rate_hz=leg.sample_rate)
        call = VoiceCall(
            leg=leg,
            recognizer=recognizer,
            voice=runtime.engines.voice(),
            responder=equipment.responders.make(tenant, call_id=call_id, language=language, known=known),
            vad=equipment.vad,
            pacer=equipment.pacer,
            settings=CallSettings(call_id=call_id, language=language, terms=tenant.terms, recording=str(recording)),
            recorder=recorder,
            archive=archive,
            clock=time.monotonic,
        )
        self._live.setdefault(tenant.id, WeakSet()).add(call)
        return call


class _Archive:
    """Stores what one call leaves; the far end is told of the end only after it."""

    def __init__(
        self,
        calls: CallStore,
        tenant_id: str,
        beginning: asyncio.Task[bool],
        details: CallDetails,
        recorder: CallRecorder,
        event_log: Path,
    ) -> None:
        self._calls = calls
        self._tenant_id = tenant_id
        self._beginning = beginning
        self._details = details
        self._recorder = recorder
        self._event_log = event_log

    async def __call__(self, record: CallRecord, event_log: bytes) -> None:
        """Finish the recording, keep the event log, then store the record: it names files that are complete."""
        try:
            await self._recorder.close()
            await asyncio.to_thread(_write_private, self._event_log, event_log)
        except OSError:
            # A full disk must not cost the record as well.
            log.exception("recording_incomplete")
        try:
            await self._beginning
        except StoreError:
            log.exception("call_not_begun")
        await self._calls.save(self._tenant_id, record, self._details)
        log.info("call_ended", outcome=record.outcome.value, reason=record.reason, duration_s=record.duration_s)


def _write_private(path: Path, data: bytes) -> None:
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, PRIVATE_FILE_MODE), "wb") as file:
        file.write(data)


def _recognizer_for(equipment: Equipment, runtime: TenantRuntime, asked: str | None, language: str) -> Recognizer:
    """A client that names a language means it; without one, the embedded recogniser finds out which it is."""
    tenant = runtime.tenant
    if asked is None and tenant.engines.stt == (EMBEDDED,):
        likeliest_first = sorted(tenant.languages, key=lambda code: code != language)
        return equipment.embedded.detecting_recognizer(likeliest_first)
    return runtime.engines.recognizer(language)


def language_for(tenant: TenantConfig, language: str | None) -> str:
    """The tenant's code for the language asked for, its default for None. Raises CallRefused unsupported_language."""
    if language is None:
        return tenant.default_language
    code = language.lower().split("-")[0]
    if code not in tenant.languages:
        allowed = ", ".join(tenant.languages)
        raise CallRefused("unsupported_language", f"{language!r} is not spoken here; use one of {allowed}")
    return code
