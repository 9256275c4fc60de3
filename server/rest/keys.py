"""API keys over REST: list, make, rotate, revoke.

The text of a key is in the answer that makes it and nowhere else. Nobody gives away what they may not do themselves:
a key with a scope that the asker lacks is neither made nor rotated. Part of `server.rest.api`.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, post
from litestar.types import ControllerRouterHandler

from context.security.keys import (
    DEFAULT_OVERLAP_S,
    LONGEST_NAME,
    LONGEST_OVERLAP_S,
    MOST_ORIGINS,
    ApiKey,
    KeyKind,
    NewKey,
)
from context.security.principal import Principal, Scope
from server.rest.auth import requires, tenant_of
from server.rest.etags import check_if_match
from server.rest.paging import Page, PageQuery
from server.rest.problems import FieldError, Problem
from server.rest.services import Services

KeyName = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]
Origin = Annotated[str, msgspec.Meta(min_length=8, max_length=260)]


class KeyView(msgspec.Struct, frozen=True):
    """A key without its secret. revoked_at, expires_at: null for never. replaced_by: the key its rotation made."""

    id: str
    name: str
    kind: KeyKind
    scopes: list[Scope]
    origins: list[str]
    created_at: dt.datetime
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None
    last_used_at: dt.datetime | None
    replaced_by: str | None


class NewKeyView(msgspec.Struct, frozen=True):
    """A key just made. key: its text, shown this once: Parley does not keep it."""

    key: str
    details: KeyView


class KeyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to make. kind widget: for web pages, needs origins and takes the scope calls:place alone.

    expires_at: with its time zone, null for never.
    """

    name: KeyName
    scopes: Annotated[list[Scope], msgspec.Meta(min_length=1, max_length=len(Scope))]
    kind: KeyKind = KeyKind.SECRET
    origins: Annotated[list[Origin], msgspec.Meta(max_length=MOST_ORIGINS)] = []
    expires_at: Annotated[dt.datetime, msgspec.Meta(tz=True)] | None = None


class RotationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to rotate. overlap_s: how long the old key works on, in seconds."""

    overlap_s: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_OVERLAP_S)] = DEFAULT_OVERLAP_S


class Keys(Controller):
    """API keys of the tenant."""

    path = "/keys"
    tags: Sequence[str] = ["keys"]  # pyright: ignore[reportIncompatibleVariableOverride]

    @get("/", guards=[requires(Scope.KEYS_READ)], summary="List API keys, newest first")
    async def list_keys(self, principal: Principal, services: Services, page: PageQuery) -> Page[KeyView]:
        """Every key of the tenant, those that have ended too."""
        after = page.key(float, str)
        newest_first = sorted(await services.keys.list(tenant_of(principal)), key=_place, reverse=True)
        rest = [key for key in newest_first if after is None or _place(key) < after]
        return page.page(rest[: page.limit + 1], _place, key_view)

    @get("/{key_id:str}", guards=[requires(Scope.KEYS_READ)], summary="Get one API key")
    async def get_key(self, key_id: str, principal: Principal, services: Services) -> KeyView:
        """One key, without its secret."""
        return key_view(await services.keys.get(tenant_of(principal), key_id))

    @post("/", guards=[requires(Scope.KEYS_WRITE)], summary="Make an API key")
    async def create_key(self, data: KeyRequest, principal: Principal, services: Services) -> NewKeyView:
        """Make a key. 403 when it should do what the asker may not."""
        tenant_id = tenant_of(principal)
        _check_may_give(principal, data.scopes)
        made = await services.keys.create(
            tenant_id,
            data.name,
            data.scopes,
            origins=data.origins,
            expires_at=None if data.expires_at is None else data.expires_at.timestamp(),
            kind=data.kind,
            actor=principal.id,
        )
        return _new_key_view(made)

    @post("/{key_id:str}/rotate", guards=[requires(Scope.KEYS_WRITE)], summary="Rotate an API key")
    async def rotate_key(
        self,
        key_id: str,
        data: RotationRequest,
        request: Request[Any, Any, Any],
        principal: Principal,
        services: Services,
    ) -> NewKeyView:
        """Make a key that may do the same; the old one ends after `overlap_s`. 409 when it was rotated or ended."""
        tenant_id = tenant_of(principal)
        before = await services.keys.get(tenant_id, key_id)
        _check_may_give(principal, before.scopes)
        check_if_match(request, key_view(before))
        made = await services.keys.rotate(tenant_id, key_id, overlap_s=data.overlap_s, actor=principal.id)
        return _new_key_view(made)

    @delete("/{key_id:str}", guards=[requires(Scope.KEYS_WRITE)], status_code=200, summary="Revoke an API key")
    async def revoke_key(
        self, key_id: str, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> KeyView:
        """End a key, within two seconds everywhere. Revoking twice is revoking once."""
        tenant_id = tenant_of(principal)
        check_if_match(request, key_view(await services.keys.get(tenant_id, key_id)))
        return key_view(await services.keys.revoke(tenant_id, key_id, actor=principal.id))


def key_view(key: ApiKey) -> KeyView:
    """A key as clients see it."""
    return KeyView(
        id=key.id,
        name=key.name,
        kind=key.kind,
        scopes=list(key.scopes),
        origins=list(key.origins),
        created_at=_instant(key.created_at),
        expires_at=_maybe_instant(key.expires_at),
        revoked_at=_maybe_instant(key.revoked_at),
        last_used_at=_maybe_instant(key.last_used_at),
        replaced_by=key.replaced_by,
    )


def _new_key_view(made: NewKey) -> NewKeyView:
    return NewKeyView(made.key, key_view(made.details))


def _check_may_give(principal: Principal, scopes: Collection[Scope]) -> None:
    lacking = sorted(scope.value for scope in scopes if not principal.may(scope))
    if lacking:
        own = ", ".join(sorted(scope.value for scope in principal.scopes))
        raise Problem(
            403,
            "forbidden",
            f"This key would do what you may not: {', '.join(lacking)}.",
            [FieldError("scopes", f"your own: {own}", ", ".join(lacking))],
        )


def _place(key: ApiKey) -> tuple[float, str]:
    return key.created_at, key.id


def _instant(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _maybe_instant(seconds: float | None) -> dt.datetime | None:
    return None if seconds is None else _instant(seconds)


handlers: Sequence[ControllerRouterHandler] = [Keys]

_EXAMPLE = KeyView(
    id="5f0c9a3b7d1e4a6b",
    name="booking site",
    kind=KeyKind.SECRET,
    scopes=[Scope.BOOKINGS_READ, Scope.BOOKINGS_WRITE],
    origins=[],
    created_at=dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC),
    expires_at=None,
    revoked_at=None,
    last_used_at=dt.datetime(2026, 11, 20, 10, 12, tzinfo=dt.UTC),
    replaced_by=None,
)

EXAMPLES = (
    _EXAMPLE,
    NewKeyView(f"pk_{_EXAMPLE.id}_(64 letters and digits)", _EXAMPLE),
    KeyRequest("booking site", [Scope.BOOKINGS_READ, Scope.BOOKINGS_WRITE]),
    RotationRequest(3600),
)
