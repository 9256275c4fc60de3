"""Which types of event a pattern means: `call.completed`, `call.*` or `*`.

Subscriptions, webhooks, lists, tails, replay and retention all name events this way. Used by the whole package.
"""

import re
from collections.abc import Iterable

import sqlalchemy as sa

from context.errors import ContextError

EVERY = "*"

_WORD = r"[a-z][a-z0-9_]*"
_PATTERN = re.compile(rf"\*|{_WORD}(\.[a-z0-9_]+)*\.\*|{_WORD}(\.[a-z0-9_]+)+")


class PatternError(ContextError):
    """A pattern of event types cannot be read."""

    code = "bad_event_pattern"


def checked(patterns: Iterable[str]) -> tuple[str, ...]:
    """The patterns, without repetition. Raises PatternError."""
    found = tuple(dict.fromkeys(patterns))
    for pattern in found:
        if not _PATTERN.fullmatch(pattern):
            raise PatternError(f"{pattern[:50]!r}: say an event type like 'call.completed', 'call.*' or '*'")
    return found


def matches(patterns: Iterable[str], event_type: str) -> bool:
    """Whether one of the patterns means this type."""
    return any(
        pattern in (EVERY, event_type) or (pattern.endswith(".*") and event_type.startswith(pattern[:-1]))
        for pattern in patterns
    )


def column_matches(column: sa.ColumnElement[str], patterns: Iterable[str]) -> sa.ColumnElement[bool]:
    """The same, asked of a column of types. No pattern means no event."""
    conditions: list[sa.ColumnElement[bool]] = []
    for pattern in patterns:
        if pattern == EVERY:
            return sa.true()
        if pattern.endswith(".*"):
            conditions.append(column.startswith(pattern[:-1], autoescape=True))
        else:
            conditions.append(column == pattern)
    return sa.or_(sa.false(), *conditions)
