"""`parley voices` lists what can speak and lets it speak."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from typer.testing import CliRunner

from context.home import Home
from context.tenants.config import LANGUAGES
from server import voice_list
from server.commands import voices
from server.voice_list import ListedVoice, listed


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    voices.register(app)
    return app


def piper_voice(models: Path, name: str, language: str) -> Path:
    path = models / name
    path.write_bytes(b"")
    config = {
        "audio": {"quality": "medium", "sample_rate": 22050},
        "language": {"family": language},
        "num_symbols": 256,
    }
    Path(f"{path}.json").write_text(json.dumps(config))
    return path


def found(models: Path, language: str | None = None, **environment: str) -> dict[str, ListedVoice]:
    return {
        voice.engine if voice.engine != "embedded" else voice.name: voice
        for voice in listed(language, models, environment)
    }


def test_every_language_has_a_voice_that_is_ready_on_a_fresh_machine(tmp_path: Path) -> None:
    for language in LANGUAGES:
        first = next(listed(language, tmp_path, {}))
        assert (first.engine, first.language, first.ready, first.default) == ("embedded", language, True, True)
        assert first.licence


def test_a_language_leaves_out_the_voices_of_other_languages(tmp_path: Path) -> None:
    assert {voice.language for voice in listed("fr", tmp_path, {})} == {"fr", "many"}


def test_piper_files_in_the_models_folder_are_voices_of_their_language(tmp_path: Path) -> None:
    joe = piper_voice(tmp_path, "en_US-joe-medium.onnx", "en")
    (tmp_path / "not-a-voice.onnx").write_bytes(b"")
    (tmp_path / "broken.onnx").write_bytes(b"")
    (tmp_path / "broken.onnx.json").write_text("{")
    pipers = [voice for voice in listed("en", tmp_path, {}) if voice.engine.startswith("piper:")]
    assert [(voice.engine, voice.name, voice.quality) for voice in pipers] == [
        (f"piper:{joe}", f"piper:{joe}", "neural, medium")
    ]


def test_a_providers_voice_says_what_it_still_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice_list, "plugin_installed", lambda provider: provider == "cartesia")
    without_key = found(tmp_path)
    assert without_key["cartesia"].get == "set CARTESIA_API_KEY"
    assert without_key["deepgram"].get == "pip install livekit-plugins-deepgram, set DEEPGRAM_API_KEY"
    with_key = found(tmp_path, CARTESIA_API_KEY="sk-very-secret")["cartesia"]
    assert with_key.ready
    assert "sk-very-secret" not in str(with_key)


def test_the_list_is_a_table_with_a_row_a_voice(app: typer.Typer, parley_home: Path) -> None:
    piper_voice(Home.open(parley_home).models, "fr_FR-siwis-low.onnx", "fr")
    result = CliRunner().invoke(app, ["--language", "fr"])
    assert result.exit_code == 0
    header, *rows = result.output.splitlines()
    assert header.split() == ["engine", "voice", "language", "quality", "licence", "ready"]
    assert any("fr_FR-siwis-low" in row for row in rows)
    column = header.index("language")
    assert {row[column:].split()[0] for row in rows} == {"fr", "many"}


def test_a_sample_is_a_wav_file_with_speech_in_it(app: typer.Typer, parley_home: Path, tmp_path: Path) -> None:
    out = tmp_path / "sample.wav"
    result = CliRunner().invoke(app, ["--say", "Good morning, this is the clinic.", "--out", str(out)])
    assert result.exit_code == 0, result.output
    pcm, rate_hz = soundfile.read(out, dtype="int16")
    assert 1.0 < pcm.size / rate_hz < 6.0
    assert np.abs(pcm).max() > 3_000
    assert str(out) in result.output


def test_a_sample_can_be_had_of_any_listed_voice_and_an_unknown_one_says_which_there_are(
    app: typer.Typer, parley_home: Path, tmp_path: Path
) -> None:
    sizes: set[int] = set()
    for number, name in enumerate(("espeak", "pico")):
        out = tmp_path / f"{number}.wav"
        result = CliRunner().invoke(app, ["--say", "Bonjour", "--language", "fr", "--voice", name, "--out", str(out)])
        assert result.exit_code == 0, result.output
        sizes.add(out.stat().st_size)
    assert len(sizes) == 2
    wrong = CliRunner().invoke(app, ["--say", "Bonjour", "--voice", "nobody"])
    assert wrong.exit_code == 1
    assert "hibari" in wrong.output


@pytest.mark.parametrize("arguments", [["--language", "de"], ["--say", "  "], ["--voice", "espeak"]])
def test_wrong_arguments_are_refused(app: typer.Typer, parley_home: Path, arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_a_sample_that_cannot_be_written_is_an_error_and_no_traceback(
    app: typer.Typer, parley_home: Path, tmp_path: Path
) -> None:
    result = CliRunner().invoke(app, ["--say", "Hello", "--out", str(tmp_path / "no" / "such" / "folder.wav")])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
