"""Which archetype serves a tenant's sector, whatever word of English, French or Spanish names it.

Called when a tenant is made or checked, and when a persona is resolved.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources

import msgspec

from context.tenants.checks import Finding
from context.tenants.config import TenantConfig


def archetype_of_sector(word: str) -> str | None:
    """The archetype of a trade, None for a word that names none. Accents, case and separators do not matter."""
    return _archetypes().get(_plain(word))


def sector_words() -> dict[str, tuple[str, ...]]:
    """Archetype -> the words that pick it, as they are usually written."""
    content = resources.files(__package__ or "").joinpath("sectors.yaml").read_bytes()
    return msgspec.yaml.decode(content, type=dict[str, tuple[str, ...]])


def nearest_sectors(word: str, count: int = 3) -> tuple[str, ...]:
    """Known words that look like this one, for a message."""
    known = {_plain(one): one for words in sector_words().values() for one in words}
    return tuple(known[near] for near in difflib.get_close_matches(_plain(word), known, n=count))


def unknown_sector(tenant: TenantConfig) -> Iterator[Finding]:
    """The fault of a tenant whose sector names no trade (a check of `context.tenants`)."""
    if archetype_of_sector(tenant.sector) is None:
        near = ", ".join(nearest_sectors(tenant.sector))
        hint = f"; did you mean {near}?" if near else ""
        yield ("sector",), f'expected a trade such as dental, restaurant, avocat or tienda, or "other"{hint}'


@lru_cache(maxsize=1)
def _archetypes() -> dict[str, str]:
    found: dict[str, str] = {}
    for archetype_id, words in sector_words().items():
        for word in words:
            other = found.setdefault(_plain(word), archetype_id)
            if other != archetype_id:
                raise ValueError(f"sectors.yaml: {word!r} picks both {other} and {archetype_id}")
    return found


def _plain(word: str) -> str:
    decomposed = unicodedata.normalize("NFD", word.casefold())
    letters = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return " ".join(re.findall(r"[^\W_]+", letters))
