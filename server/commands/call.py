"""`parley call`: place a call in real time, show it live, keep its recording.

The caller of every demonstration: it speaks sentences or WAV files, one turn at a time, and prints what both sides
said with the latency measured on the recording. Exit code 1 when the call failed or a turn was not answered.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from server.caller import (
    DEFAULT_URL,
    CallEvents,
    CallNotPlaced,
    CallResult,
    SpokenTurn,
    Turn,
    place_call,
)
from voice_core.errors import VoiceError
from voice_core.frames import ANALYSIS_HZ
from voice_core.notices import ErrorNotice, Notice, ToolNotice, TranscriptNotice, TransferNotice
from voice_core.voice_to_voice import percentile

EXIT_INTERRUPTED = 130


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(call)


def call(
    say: Annotated[list[str] | None, typer.Option(help="A sentence to say.")] = None,
    wav: Annotated[list[Path] | None, typer.Option(help="A recording to say instead, any format and rate.")] = None,
    more: Annotated[
        list[str] | None, typer.Argument(show_default=False, help="Further sentences or recordings, one a turn.")
    ] = None,
    url: Annotated[str, typer.Option(help="The voice socket.")] = DEFAULT_URL,
    language: Annotated[str | None, typer.Option(help="Language of the call, such as en or fr.")] = None,
    key: Annotated[str | None, typer.Option(envvar="PARLEY_KEY", help="The tenant's API key.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for call.wav and call.json.")] = Path(),
) -> None:
    """Place a call: speak each sentence or recording, one turn at a time, and show what happens."""
    sentences = [*(say or []), *(more or [])] if not wav else list(say or [])
    recordings = [*wav, *map(Path, more or [])] if wav else []
    if bool(sentences) == bool(recordings):
        raise typer.BadParameter("give either --say with sentences or --wav with recordings")
    try:
        turns = _turns(sentences, recordings, language or "en")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            result = runner.run(place_call(url, turns, language=language, key=key, out=out, events=_Live()))
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except (CallNotPlaced, VoiceError, OSError) as error:
        typer.secho(str(error), err=True, fg=typer.colors.RED)
        raise typer.Exit(1) from None
    _summarise(result, out)
    if result.failure:
        raise typer.Exit(1)


def _turns(sentences: list[str], recordings: list[Path], language: str) -> list[Turn]:
    """What will be said, ready to play."""
    # Imported here: rendering speech loads a model, and recordings need none.
    from server.caller_speech import speak_sentences, turn_from_file

    if recordings:
        return [turn_from_file(path, ANALYSIS_HZ) for path in recordings]
    typer.echo("Preparing the caller's voice...")
    return speak_sentences(sentences, language, ANALYSIS_HZ)


class _Live(CallEvents):
    """Prints the call while it goes on."""

    def notice(self, notice: Notice) -> None:
        """Final words of both sides, tools and errors."""
        match notice:
            case TranscriptNotice(role=role, text=text, final=True) if text:
                colour = typer.colors.CYAN if role == "caller" else typer.colors.GREEN
                typer.echo(typer.style(f"{role:>7}  ", fg=colour, bold=True) + text)
            case ToolNotice(name=name, result=result, ok=ok):
                typer.secho(f"   tool  {name}: {result if ok else f'failed: {result}'}", fg=typer.colors.YELLOW)
            case TransferNotice(reason=reason, destination=destination):
                typer.secho(f"         passed to {destination} ({reason})", fg=typer.colors.YELLOW)
            case ErrorNotice(code=code, message=message):
                typer.secho(f"  error  {code}: {message}", fg=typer.colors.RED)
            case _:
                pass

    def answered(self, turn: SpokenTurn) -> None:
        """The latency of the turn, from the recording."""
        typer.secho(f"         {_latency(turn)}", dim=True)


def _latency(turn: SpokenTurn) -> str:
    if turn.voice_to_voice_ms is None:
        return "no answer is heard on the recording"
    early = ", cut off before the end" if turn.cut_off else ""
    stages = ", ".join(f"{name} {at_ms:.0f}" for name, at_ms in sorted(turn.stages.items(), key=lambda item: item[1]))
    return f"answered after {turn.voice_to_voice_ms:.0f} ms{early}" + (f"  [{stages}]" if stages else "")


def _summarise(result: CallResult, out: Path) -> None:
    gaps = [turn.voice_to_voice_ms for turn in result.turns if turn.voice_to_voice_ms is not None]
    typer.echo()
    if gaps:
        typer.echo(
            f"Voice to voice on the recording: p50 {percentile(gaps, 0.5):.0f} ms, p90 {percentile(gaps, 0.9):.0f} ms, "
            f"worst {max(gaps):.0f} ms, {len(gaps)} of {len(result.turns)} turns answered"
        )
    typer.echo(f"Outcome: {result.outcome or 'unknown'} ({result.reason}), {result.duration_ms / 1000:.1f} s")
    typer.echo(f"Recording: {out / 'call.wav'} (left caller, right agent), details: {out / 'call.json'}")
    if result.failure:
        typer.secho(f"The call failed: {result.failure}", err=True, fg=typer.colors.RED)
