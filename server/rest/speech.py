"""`POST /v1/stt` and `POST /v1/tts`: the tenant's own ears and voice, for a sound file or a text.

The engines are those of the calls, with the same fallbacks. Live calls go first: one file is heard at a time and one
clause spoken at a time, and who would wait too long is told to come back. Part of `server.rest.api`.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter
from litestar.response import Stream
from litestar.types import ControllerRouterHandler

from context.security.principal import Principal, Scope
from context.tenants.config import TenantConfig
from server.rest.auth import requires, tenant_of
from server.rest.calls import Language
from server.rest.problems import RETRY_AFTER_S, Problem, bad_field
from server.rest.respond import LONGEST_TEXT
from server.rest.services import Services
from server.rest.sound import HIGHEST_HZ, LARGEST_SOUND_BYTES, LOWEST_HZ, SoundFormat, SoundWriter, decoded
from server.tenant_runtimes import TenantRuntime
from voice_core.frames import ANALYSIS_HZ, Pcm16
from voice_core.speech import DecodeKind, Recognizer, Transcript, Voice
from voice_core.tts.clauses import ClauseChunker

PUSHED_SAMPLES = ANALYSIS_HZ
"""A second at a time: recognisers compute on the event loop as they are fed, where all calls wait."""

DECODE_LIMIT_S = 60.0

_SOUND_SCHEMA = {"schema": {"type": "string", "format": "binary"}}
SOUND_BODY = {
    "request_body": {
        "required": True,
        "content": dict.fromkeys(("audio/wav", "audio/pcm", "audio/basic"), _SOUND_SCHEMA),
    }
}


class TranscriptionView(msgspec.Struct, frozen=True):
    """What was heard. text: "" for no words. confidence: 0 to 1."""

    text: str
    language: str
    confidence: float
    duration_s: float


class SpeakBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to say. language: the tenant's default when it is left out."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_TEXT)]
    language: Language | None = None
    format: SoundFormat = SoundFormat.WAV


@post(
    "/stt",
    guards=[requires(Scope.SPEECH_USE)],
    opt=SOUND_BODY,
    status_code=200,
    request_max_body_size=LARGEST_SOUND_BYTES,
    tags=["speech"],
    summary="Turn speech into text",
)
async def transcribe(
    request: Request[Any, Any, Any],
    principal: Principal,
    services: Services,
    language: Annotated[Language | None, Parameter(description="Spoken; the tenant's default when left out.")] = None,
    rate_hz: Annotated[
        int, Parameter(description="Of audio/pcm (16 bit, little-endian, mono).", ge=LOWEST_HZ, le=HIGHEST_HZ)
    ] = ANALYSIS_HZ,
) -> TranscriptionView:
    """Up to 60 s as audio/wav, audio/pcm or audio/basic (mu-law, 8 kHz)."""
    runtime, spoken = _runtime(services, principal, language)
    body = await request.body()
    pcm = await asyncio.to_thread(decoded, body, request.content_type[0], rate_hz)
    recognizer = runtime.engines.recognizer(spoken)
    try:
        async with services.hearing.turn(), asyncio.timeout(DECODE_LIMIT_S):
            heard = await _hear(recognizer, pcm)
    except TimeoutError:
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        raise Problem(503, "busy", "The sound could not be heard in time; try again.", headers=headers) from None
    finally:
        await recognizer.aclose()
    return TranscriptionView(heard.text, heard.language, heard.confidence, round(len(pcm) / ANALYSIS_HZ, 2))


@post(
    "/tts",
    guards=[requires(Scope.SPEECH_USE)],
    status_code=200,
    tags=["speech"],
    summary="Turn text into speech",
    responses={
        200: ResponseSpec(
            bytes, generate_examples=False, media_type="audio/wav", description="The sound, sent while it is made."
        )
    },
)
async def speak(data: SpeakBody, principal: Principal, services: Services) -> Stream:
    """WAV or raw 16-bit PCM at the voice's rate (in Content-Type), or mu-law at 8 kHz; mono, sent while it is made."""
    runtime, language = _runtime(services, principal, data.language)
    voice = runtime.engines.voice()
    writer = SoundWriter(data.format, voice.sample_rate)
    sound = _sound(services, voice, writer, data.text, language)
    # The first piece is waited for: a voice that fails is an error and not an empty file.
    first = await anext(sound)
    return Stream(_from(first, sound), media_type=writer.media_type)


async def _sound(
    services: Services, voice: Voice, writer: SoundWriter, text: str, language: str
) -> AsyncGenerator[bytes, None]:
    begin = writer.begin()
    chunker = ClauseChunker()
    try:
        for clause in [*chunker.push(text), *chunker.flush()]:
            pieces: list[Pcm16] = []
            async with services.speaking.turn():
                async for chunk in voice.render(clause, language):
                    pieces.append(chunk.pcm)
            yield begin + b"".join(writer.push(pcm) for pcm in pieces)
            begin = b""
        yield begin + writer.finish()
    finally:
        await voice.aclose()


async def _from(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    try:
        yield first
        async for piece in rest:
            yield piece
    finally:
        await rest.aclose()


async def _hear(recognizer: Recognizer, pcm: Pcm16) -> Transcript:
    recognizer.begin(0.0)
    for start in range(0, len(pcm), PUSHED_SAMPLES):
        recognizer.push(pcm[start : start + PUSHED_SAMPLES])
        await asyncio.sleep(0)
    return await recognizer.decode(DecodeKind.FINAL)


def _runtime(services: Services, principal: Principal, language: str | None) -> tuple[TenantRuntime, str]:
    """What the tenant's calls share, and the language meant."""
    tenant: TenantConfig = services.tenants.serving(tenant_of(principal))
    if language is not None and language not in tenant.languages:
        raise bad_field("language", f"one of {', '.join(tenant.languages)}", language)
    runtime = services.runtimes.of(tenant.id)
    if runtime is None:
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        raise Problem(503, "unavailable", "This tenant cannot be answered for at the moment.", headers=headers)
    return runtime, language or tenant.default_language


handlers: Sequence[ControllerRouterHandler] = (transcribe, speak)

EXAMPLES = (
    TranscriptionView("I would like a cleaning.", "en", 0.94, 2.31),
    SpeakBody("Hello, how can I help you?", "en"),
)
