"""A phrase that was rendered is not rendered again, and the cache never outgrows its bound."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from voice_core.speech import WordMark
from voice_core.tts.phrase_cache import Phrase, PhraseCache, PhraseKey


def key(text: str, engine: str = "hibari:heart") -> PhraseKey:
    return PhraseKey(engine, "en", text)


def phrase(size: int) -> Phrase:
    return Phrase(bytes(2 * size), (WordMark("hello", 10.0),))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60)), max_size=60))
def test_the_bound_holds_whatever_comes(puts: list[tuple[int, int]]) -> None:
    cache = PhraseCache(bound_bytes=100)
    for text, size in puts:
        cache.put(key(str(text)), phrase(size))
        kept = [cache.get(key(str(n))) for n in range(10)]
        assert cache.held_bytes == sum(len(p.audio) for p in kept if p) <= 100


def test_what_was_used_longest_ago_goes_first() -> None:
    cache = PhraseCache(bound_bytes=100)
    cache.put(key("greeting"), phrase(20))
    cache.put(key("goodbye"), phrase(20))
    cache.get(key("greeting"))
    cache.put(key("hours"), phrase(20))
    assert cache.get(key("greeting")) is not None
    assert cache.get(key("goodbye")) is None


def test_another_voice_is_another_phrase() -> None:
    cache = PhraseCache()
    cache.put(key("hello"), phrase(3))
    assert cache.get(key("hello", engine="piper:joe")) is None


def test_a_stored_phrase_is_found_by_the_next_process(tmp_path: Path) -> None:
    PhraseCache(folder=tmp_path).store(key("hello"), phrase(3))
    assert PhraseCache(folder=tmp_path).load(key("hello")) == phrase(3)


def test_a_damaged_file_is_as_good_as_none(tmp_path: Path) -> None:
    PhraseCache(folder=tmp_path).store(key("hello"), phrase(3))
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-4])
    assert PhraseCache(folder=tmp_path).load(key("hello")) is None


def test_file_names_do_not_tell_what_is_said(tmp_path: Path) -> None:
    PhraseCache(folder=tmp_path).store(key("hello"), phrase(3))
    assert all("hello" not in file.name for file in tmp_path.iterdir())
