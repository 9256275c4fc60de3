"""API keys: who gets in, with which rights, from where, and until when."""

import asyncio
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context.errors import StoreError
from context.security.audit import AuditLog
from context.security.errors import KeyEndedError, KeyNotFoundError, KeyRequestError
from context.security.key_text import new_key_text, parsed
from context.security.keys import REMEMBERED_S, ApiKeys, KeyKind
from context.security.origins import normalised_origin
from context.security.principal import PrincipalKind, Scope
from context.security.tables import api_keys
from context.store.database import Store
from context.store.transaction import Row, ServerTransaction
from tests.security.conftest import Clock

READ = [Scope.CALLS_READ]
SHOP = "https://shop.example"


@pytest.fixture
def keys(store: Store, clock: Clock) -> ApiKeys:
    return ApiKeys(store, clock, clock=clock)


async def test_a_new_key_speaks_for_its_tenant_with_its_scopes(keys: ApiKeys) -> None:
    made = await keys.create("clinic", "booking site", [Scope.CALLS_READ, Scope.BOOKINGS_WRITE])
    principal = await keys.authenticate(made.key, None)
    assert principal is not None
    assert (principal.kind, principal.id, principal.tenant_id) == (PrincipalKind.KEY, made.id, "clinic")
    assert principal.scopes == {Scope.CALLS_READ, Scope.BOOKINGS_WRITE}
    assert made.key.startswith(f"pk_{made.id}_")


async def test_the_database_does_not_hold_the_secret(keys: ApiKeys, store: Store) -> None:
    made = await keys.create("clinic", "booking site", READ)
    async with store.tenant("clinic").reading() as transaction:
        (row,) = await transaction.rows(api_keys)
    secret = made.key.rpartition("_")[2]
    assert secret not in repr(row)
    assert bytes.fromhex(secret) not in row.values()
    assert secret not in repr(made)


@pytest.mark.parametrize("wrong", ["", "pk_", "pk_x_y", "x" * 300, "pk_" + "0" * 16 + "_" + "0" * 64])
async def test_what_is_no_key_opens_nothing(keys: ApiKeys, wrong: str) -> None:
    assert await keys.authenticate(wrong, None) is None


async def test_one_wrong_letter_opens_nothing_and_does_not_hurt_the_right_key(keys: ApiKeys) -> None:
    made = await keys.create("clinic", "k", READ)
    for place in (3, 10, 25, len(made.key) - 1):
        wrong = made.key[:place] + ("0" if made.key[place] != "0" else "1") + made.key[place + 1 :]
        assert await keys.authenticate(wrong, None) is None
    assert await keys.authenticate(made.key, None) is not None


async def test_a_revoked_key_ends_at_once_here_and_within_two_seconds_elsewhere(
    any_store: Store, second_store: Store, clock: Clock
) -> None:
    keys, other_process = (ApiKeys(one, clock, clock=clock) for one in (any_store, second_store))
    made = await keys.create("clinic", "k", READ)
    assert await keys.authenticate(made.key, None) is not None
    assert await other_process.authenticate(made.key, None) is not None
    await keys.revoke("clinic", made.id)
    assert await keys.authenticate(made.key, None) is None
    clock.pass_s(REMEMBERED_S)
    assert await other_process.authenticate(made.key, None) is None
    assert REMEMBERED_S < 2


async def test_a_key_in_use_costs_no_query(keys: ApiKeys, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await keys.create("clinic", "k", READ)
    assert await keys.authenticate(made.key, None) is not None
    monkeypatch.setattr(store, "reading_every_tenant", None)
    for _ in range(100):
        assert await keys.authenticate(made.key, None) is not None


async def test_a_key_that_is_revoked_while_it_is_looked_up_is_not_remembered(
    keys: ApiKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await keys.create("clinic", "k", READ)
    found, go_on = asyncio.Event(), asyncio.Event()
    row = ServerTransaction.row

    async def slow_row(self: ServerTransaction, *query: Any) -> Row | None:
        answer = await row(self, *query)
        found.set()
        await go_on.wait()
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(ServerTransaction, "row", slow_row)
        looking_up = asyncio.create_task(keys.authenticate(made.key, None))
        await found.wait()
        await keys.revoke("clinic", made.id)
        go_on.set()
        await looking_up
    assert await keys.authenticate(made.key, None) is None


async def test_revoking_again_changes_nothing(keys: ApiKeys, clock: Clock) -> None:
    made = await keys.create("clinic", "k", READ)
    first = await keys.revoke("clinic", made.id)
    clock.pass_s(100)
    assert await keys.revoke("clinic", made.id) == first


async def test_an_expired_key_ends_to_the_second_though_it_is_remembered(keys: ApiKeys, clock: Clock) -> None:
    made = await keys.create("clinic", "k", READ, expires_at=clock.now + 1)
    assert await keys.authenticate(made.key, None) is not None
    clock.pass_s(0.999)
    assert await keys.authenticate(made.key, None) is not None
    clock.pass_s(0.001)
    assert await keys.authenticate(made.key, None) is None


async def test_after_rotation_both_keys_work_until_the_overlap_ends(keys: ApiKeys, clock: Clock) -> None:
    old = await keys.create("clinic", "k", READ)
    clock.pass_s(1)
    new = await keys.rotate("clinic", old.id, overlap_s=60)
    clock.pass_s(59)
    assert await keys.authenticate(old.key, None) is not None
    principal = await keys.authenticate(new.key, None)
    assert principal is not None
    assert principal.scopes == set(READ)
    clock.pass_s(1)
    assert await keys.authenticate(old.key, None) is None
    assert await keys.authenticate(new.key, None) is not None
    (first, second) = await keys.list("clinic")
    assert (first.id, first.replaced_by, second.id, second.replaced_by) == (old.id, new.id, new.id, None)


async def test_rotation_does_not_lengthen_the_life_of_a_key(keys: ApiKeys, clock: Clock) -> None:
    old = await keys.create("clinic", "k", READ, expires_at=clock.now + 10)
    new = await keys.rotate("clinic", old.id, overlap_s=60)
    clock.pass_s(10)
    assert await keys.authenticate(old.key, None) is None
    assert await keys.authenticate(new.key, None) is None


async def test_a_key_is_rotated_once_whoever_asks_at_the_same_moment(any_store: Store, second_store: Store) -> None:
    keys, other_process = ApiKeys(any_store), ApiKeys(second_store)
    made = await keys.create("clinic", "k", READ)
    tries = [process.rotate("clinic", made.id) for process in (keys, other_process, keys, other_process)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert all(isinstance(result, KeyEndedError) for result in results if isinstance(result, BaseException))
    assert len(await keys.list("clinic")) == 2


async def test_an_ended_key_is_not_rotated(keys: ApiKeys) -> None:
    made = await keys.create("clinic", "k", READ)
    await keys.revoke("clinic", made.id)
    with pytest.raises(KeyEndedError):
        await keys.rotate("clinic", made.id)


async def test_another_tenants_key_is_as_if_it_did_not_exist(keys: ApiKeys) -> None:
    made = await keys.create("clinic", "k", READ)
    for attempt in (keys.get, keys.rotate, keys.revoke):
        with pytest.raises(KeyNotFoundError):
            await attempt("garage", made.id)
    assert await keys.list("garage") == []
    assert await keys.authenticate(made.key, None) is not None


async def test_a_widget_key_works_from_its_pages_only(keys: ApiKeys) -> None:
    made = await keys.create(
        "clinic", "w", [Scope.CALLS_PLACE], origins=["HTTPS://Shop.Example:443"], kind=KeyKind.WIDGET
    )
    assert made.details.origins == (SHOP,)
    assert await keys.authenticate(made.key, SHOP) is not None
    for origin in (
        None,
        "",
        "null",
        "https://evil.example",
        "http://shop.example",
        f"{SHOP}:8443",
        f"{SHOP}.evil.example",
    ):
        assert await keys.authenticate(made.key, origin) is None


@pytest.mark.parametrize(
    ("kind", "scopes", "origins", "says"),
    [
        (KeyKind.WIDGET, [Scope.CALLS_READ], [SHOP], "scopes"),
        (KeyKind.WIDGET, [Scope.CALLS_PLACE], [], "origins"),
        (KeyKind.WIDGET, [Scope.CALLS_PLACE], ["https://*.example"], "origins"),
        (KeyKind.WIDGET, [Scope.CALLS_PLACE], [f"{SHOP}/path"], "origins"),
        (KeyKind.SECRET, [Scope.CALLS_READ], [SHOP], "origins"),
        (KeyKind.SECRET, [], [], "scopes"),
        (KeyKind.SECRET, [Scope.SERVER_ADMIN], [], "scopes"),
    ],
)
async def test_a_key_that_may_not_be_is_refused_and_not_made(
    keys: ApiKeys, kind: KeyKind, scopes: list[Scope], origins: list[str], says: str
) -> None:
    with pytest.raises(KeyRequestError, match=says):
        await keys.create("clinic", "k", scopes, origins=origins, kind=kind)
    assert await keys.list("clinic") == []


@pytest.mark.parametrize("expires_at", [0.0, 1_799_999_999.0, float("nan"), float("inf")])
async def test_a_key_that_has_ended_already_is_not_made(keys: ApiKeys, expires_at: float) -> None:
    with pytest.raises(KeyRequestError, match="expires_at"):
        await keys.create("clinic", "k", READ, expires_at=expires_at)


async def test_the_operators_key_belongs_to_no_tenant(any_store: Store) -> None:
    keys = ApiKeys(any_store)
    made = await keys.create("", "operator", list(Scope))
    principal = await keys.authenticate(made.key, None)
    assert principal is not None
    assert (principal.kind, principal.tenant_id) == (PrincipalKind.OPERATOR, "")
    assert principal.may(Scope.SERVER_ADMIN)
    assert [key.id for key in await keys.list("")] == [made.id]


async def test_last_use_is_written_later_and_once(any_store: Store, clock: Clock) -> None:
    keys = ApiKeys(any_store, clock)
    made = await keys.create("clinic", "k", READ)
    for _ in range(5):
        clock.pass_s(1)
        await keys.authenticate(made.key, None)
    assert (await keys.get("clinic", made.id)).last_used_at is None
    await keys.write_last_used()
    assert (await keys.get("clinic", made.id)).last_used_at == clock.now


async def test_uses_that_could_not_be_written_are_written_the_next_time(
    keys: ApiKeys, clock: Clock, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await keys.create("clinic", "k", READ)
    await keys.authenticate(made.key, None)

    def fail(_: str) -> None:
        raise StoreError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(store, "tenant", fail)
        await keys.write_last_used()
    await keys.write_last_used()
    assert (await keys.get("clinic", made.id)).last_used_at == clock.now


async def test_closing_writes_what_is_known(keys: ApiKeys, clock: Clock) -> None:
    keys.start()
    made = await keys.create("clinic", "k", READ)
    await keys.authenticate(made.key, None)
    await keys.aclose()
    assert (await keys.get("clinic", made.id)).last_used_at == clock.now


async def test_what_happens_to_keys_is_in_the_audit_log(any_store: Store) -> None:
    keys = ApiKeys(any_store)
    made = await keys.create("clinic", "Marie's phone", READ, actor="user-1")
    new = await keys.rotate("clinic", made.id, actor="user-2")
    await keys.revoke("clinic", new.id, actor="user-3")
    entries = await AuditLog(any_store).entries("clinic", newest_first=False)
    assert [(entry.actor, entry.action, entry.target) for entry in entries] == [
        ("user-1", "key.created", made.id),
        ("user-2", "key.rotated", made.id),
        ("user-3", "key.revoked", new.id),
    ]
    assert "Marie" not in repr(entries)


async def test_an_unknown_id_does_the_same_work_as_a_wrong_secret(
    keys: ApiKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that nobody can measure which ids exist."""
    made = await keys.create("clinic", "k", READ)
    assert await keys.authenticate(made.key, None) is not None  # remembered, which must not show either
    work: list[str] = []
    compare, row = hmac.compare_digest, ServerTransaction.row

    def counted_compare(one: bytes, other: bytes) -> bool:
        work.append(f"compare {len(one)} {len(other)}")
        return compare(one, other)

    async def counted_row(self: ServerTransaction, *query: Any) -> Row | None:
        work.append("row")
        return await row(self, *query)

    monkeypatch.setattr(hmac, "compare_digest", counted_compare)
    monkeypatch.setattr(ServerTransaction, "row", counted_row)
    done: list[list[str]] = []
    for key in (new_key_text(), f"pk_{made.id}_{'0' * 64}"):
        work.clear()
        assert await keys.authenticate(key, None) is None
        done.append(list(work))
    assert done[0] == done[1] == ["row", "compare 32 32"]


@given(st.text(max_size=120))
def test_any_text_is_a_key_or_is_not_and_never_an_error(text: str) -> None:
    assert parsed(text) is None or text.startswith("pk_")


@given(st.text(max_size=60) | st.from_regex(r"https?://[a-zA-Z0-9.:\[\]-]{1,30}", fullmatch=True))
def test_a_normalised_origin_is_normal(text: str) -> None:
    normalised = normalised_origin(text)
    assert normalised is None or normalised_origin(normalised) == normalised


def test_keys_are_different() -> None:
    assert len({new_key_text() for _ in range(100)}) == 100
