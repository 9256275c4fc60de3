"""The loaded voices, once for all tests of this folder."""

from collections.abc import Iterator

import pytest

from voice_core.tts.embedded import EmbeddedTts


@pytest.fixture(scope="session")
def embedded() -> Iterator[EmbeddedTts]:
    tts = EmbeddedTts.load(("en", "fr", "es", "ar", "ary"))
    yield tts
    tts.close()
