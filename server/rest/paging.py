"""Lists in pages: newest first, each page named by an opaque cursor that says after which row it begins.

A cursor holds the sort key of the last row of the page before, so rows that come and go meanwhile move no page
boundary. Used by every resource that lists.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import sqlalchemy as sa
from litestar.params import Parameter

from server.rest.problems import bad_field

T = TypeVar("T")
Row = TypeVar("Row")

LARGEST_PAGE = 100
USUAL_PAGE = 50
LONGEST_CURSOR = 500
"""Characters."""

LARGEST_KEY = 2**63 - 1
"""What a database takes for an integer."""

CursorKey = tuple[str | int | float, ...]
"""Sort key of a row, from the column that counts most to the one that makes it unique."""


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Part of a list. next_cursor: ask with it for what follows, null at the end."""

    items: list[T]
    next_cursor: str | None = None


class PageQuery(msgspec.Struct, frozen=True):
    """Which part of a list was asked for. after: sort key of the last row before it, None for the beginning."""

    limit: int = USUAL_PAGE
    after: CursorKey | None = None

    def condition(self, *columns: sa.ColumnElement[Any], newest_first: bool = True) -> Sequence[sa.ColumnElement[bool]]:
        """What rows must meet to come after the cursor, in the order of `columns`. Raises Problem 400."""
        after = self.key(*(column.type.python_type for column in columns))
        if after is None:
            return ()
        last: sa.ColumnElement[bool] = sa.false()
        for column, value in zip(reversed(columns), reversed(after), strict=True):
            beyond = column < value if newest_first else column > value
            last = sa.or_(beyond, sa.and_(column == value, last))
        return (last,)

    def key(self, *types: type) -> CursorKey | None:
        """The sort key, checked to be of these types (int counts as float). Raises Problem 400."""
        if self.after is None:
            return None
        fits = len(self.after) == len(types) and all(
            (kind is str and isinstance(value, str))
            or (kind in (int, float) and isinstance(value, int) and abs(value) <= LARGEST_KEY)
            or (kind is float and isinstance(value, float))
            for value, kind in zip(self.after, types, strict=False)
        )
        if not fits:
            raise _not_a_cursor()
        return self.after

    def page(self, found: Sequence[Row], key: Callable[[Row], CursorKey], view: Callable[[Row], T]) -> Page[T]:
        """The page of `found`, which was asked for with `limit + 1` rows. key: sort key of a row, in column order."""
        shown = found[: self.limit]
        more = len(found) > self.limit
        return Page([view(row) for row in shown], encode_cursor(key(shown[-1])) if more else None)


def encode_cursor(key: CursorKey) -> str:
    """A sort key as clients see it."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def decode_cursor(cursor: str) -> CursorKey:
    """The sort key in a cursor. Raises Problem 400."""
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key = msgspec.json.decode(data, type=tuple[str | int | float, ...])
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError) as error:
        raise _not_a_cursor() from error
    if any(isinstance(value, str) and "\0" in value for value in key):
        raise _not_a_cursor()
    return key


async def provide_page(
    cursor: Annotated[
        str | None,
        Parameter(description="`next_cursor` of the page before; leave out for the first.", max_length=LONGEST_CURSOR),
    ] = None,
    limit: Annotated[int, Parameter(description="Items on a page.", ge=1, le=LARGEST_PAGE)] = USUAL_PAGE,
) -> PageQuery:
    """Dependency `page` of handlers that list."""
    return PageQuery(limit, decode_cursor(cursor) if cursor else None)


def _not_a_cursor() -> Exception:
    return bad_field("cursor", "must be the next_cursor of an earlier page of the same list")
