"""What the agent says, as data: one YAML file per language, read and checked once.

`Wording.say` picks a variant by the number of the turn, so that replies vary and a replayed call says
the same words. Called by every planner of `agents.dialogue`.
"""

from functools import lru_cache
from importlib import resources
from string import Formatter
from typing import Literal

import msgspec


class Forms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"and_": "and", "or_": "or"}):
    """How one language writes days, times, money and lists so that they are spoken well."""

    weekdays: tuple[str, ...]
    weekly: tuple[str, ...]
    months: tuple[str, ...]
    date: str
    first_of_month: str
    today: str
    tomorrow: str
    on_day: str
    clock: Literal["half_days", "full_day"]
    hour: str
    hour_minute: str
    noon: str
    at: str
    span: str
    days: str
    money: str
    decimal: str
    and_: str
    or_: str
    article: str
    article_feminine: str
    languages: dict[str, str]


class Wording(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The phrases and forms of one language."""

    forms: Forms
    says: dict[str, tuple[str, ...]]

    def say(self, key: str, turn: int, **values: str) -> str:
        """The phrase for `key`, its first letter capital. Raises KeyError for a key or value that is missing."""
        variants = self.says[key]
        # "at 10 a.m." already ends with the full stop that the phrase adds.
        text = variants[turn % len(variants)].format(**values).replace("..", ".")
        return text[:1].upper() + text[1:]

    def fixed_phrases(self) -> tuple[str, ...]:
        """Every sentence that holds no value: it always sounds the same."""
        return tuple(text for variants in self.says.values() for text in variants if not placeholders(text))


def placeholders(text: str) -> frozenset[str]:
    """The values that a phrase is filled with."""
    return frozenset(name for _, name, _, _ in Formatter().parse(text) if name)


@lru_cache(maxsize=8)
def wording_for(language: str) -> Wording:
    """The wording of a language. Raises LookupError when there is no file for it."""
    file = resources.files(__name__).joinpath(f"{language}.yaml")
    if not file.is_file():
        raise LookupError(f"no wording for {language!r}")
    return msgspec.yaml.decode(file.read_bytes(), type=Wording)
