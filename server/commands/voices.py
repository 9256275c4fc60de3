"""`parley voices`: which voices there are, how to get one, and how one sounds."""

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import soundfile
import typer

from context.errors import ContextError
from context.home import Home
from context.tenants.config import LANGUAGES
from voice_core.errors import VoiceError
from voice_core.frames import Pcm16
from voice_core.speech import Voice

if TYPE_CHECKING:
    from server.voice_list import ListedVoice

COLUMNS = ("engine", "voice", "language", "quality", "licence", "ready")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(voices)


def voices(
    language: Annotated[str | None, typer.Option(help=f"Only voices of one language: {', '.join(LANGUAGES)}.")] = None,
    say: Annotated[str | None, typer.Option(help="Speak this text instead of listing.")] = None,
    voice: Annotated[
        str | None, typer.Option(help="Voice to say it with, as the list names it, instead of the language's default.")
    ] = None,
    out: Annotated[Path, typer.Option(help="WAV file to write it to.", dir_okay=False)] = Path("voice.wav"),
    home: Annotated[
        str | None, typer.Option(envvar="PARLEY_HOME", help="Folder of all state (~/.parley when not set).")
    ] = None,
) -> None:
    """List the voices, or let one speak."""
    if language is not None and language not in LANGUAGES:
        raise typer.BadParameter(f"{language!r} is none of {', '.join(LANGUAGES)}", param_hint="--language")
    if voice is not None and say is None:
        raise typer.BadParameter("goes with --say", param_hint="--voice")
    if say is not None and not say.strip():
        raise typer.BadParameter("there is nothing to say", param_hint="--say")
    try:
        models = Home.open(home).models
        if say is None:
            # Imported here: the providers' framework takes seconds to import, which every command would wait for.
            from server.voice_list import listed

            _show(list(listed(language, models)))
        else:
            _speak(say, language or "en", voice, out, models)
    except (ContextError, VoiceError, OSError, soundfile.SoundFileError) as error:
        typer.secho(f"{error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(1) from None


def _show(found: "list[ListedVoice]") -> None:
    rows = [COLUMNS, *(_row(voice) for voice in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        typer.echo("  ".join([*cells, row[-1]]))


def _row(voice: "ListedVoice") -> tuple[str, ...]:
    ready = "yes, default" if voice.default and voice.ready else voice.get or "yes"
    return (voice.engine, voice.name, voice.language, voice.quality, voice.licence, ready)


def _speak(text: str, language: str, voice: str | None, out: Path, models: Path) -> None:
    # Imported here: engines take a second to import, and the list needs none of them.
    from voice_core.tts.embedded import EmbeddedTts

    typer.echo(f"Loading the voice for {language}.")
    tts = EmbeddedTts.load((language,), models, {language: voice} if voice else None)
    try:
        began_s = time.monotonic()
        pcm, rate_hz = asyncio.run(_rendered(tts.voice(), text, language))
        took_ms = (time.monotonic() - began_s) * 1000
    finally:
        tts.close()
    soundfile.write(out, pcm, rate_hz, subtype="PCM_16", format="WAV")
    typer.echo(f"{out}: {pcm.size / rate_hz:.1f} s of speech, made in {took_ms:.0f} ms")


async def _rendered(voice: Voice, text: str, language: str) -> tuple[Pcm16, int]:
    """The text's audio and its rate, Hz. Raises EngineError."""
    try:
        chunks = [chunk.pcm async for chunk in voice.render(text, language)]
    finally:
        await voice.aclose()
    return np.concatenate([np.zeros(0, np.int16), *chunks]), voice.sample_rate
