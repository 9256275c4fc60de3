"""Passwords: what is refused, how they are kept."""

import asyncio

import hypothesis.strategies as st
import pytest
from hypothesis import given

from context.users.errors import WeakPasswordError
from context.users.passwords import COST, MOST_WAITING, HashCost, Passwords, check_password


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "12 to 128"),
        ("x" * 129, "12 to 128"),
        ("aaaaaaaaaaaaaaa", "different characters"),
        ("abcdefghijklmnop", "neighbouring"),
        ("9876543210/.-", "neighbouring"),
        ("qwertyuiop123", "common"),
        ("Password123!", "common"),
        ("p@ssw0rd2024!", "common"),
        ("dragondragon", "common"),
        ("ada.lovelace1", "your own"),
        ("Ada Lovelace!!", "your own"),
    ],
)
def test_a_password_that_is_guessed_first_is_refused_and_not_repeated(password: str, why: str) -> None:
    with pytest.raises(WeakPasswordError, match=why) as refused:
        check_password(password, known=("Ada Lovelace", "ada.lovelace"))
    assert password not in str(refused.value)


@pytest.mark.parametrize(
    "password", ["correct horse battery staple", "a lamp beside the river", "ñandú-œuvre-日本語-x"]
)
def test_a_long_password_of_any_characters_is_good(password: str) -> None:
    check_password(password, known=("Ada Lovelace", "ada"))


@given(st.text(min_size=0, max_size=200))
def test_whatever_is_typed_is_taken_or_refused_with_a_reason(password: str) -> None:
    try:
        check_password(password, known=("Ada",))
    except WeakPasswordError as error:
        refusal = str(error)
    else:
        refusal = ""
    assert refusal.startswith("password: ") or 12 <= len(password) <= 128


async def test_the_cost_that_is_stated_is_the_cost_that_is_stored() -> None:
    real = Passwords()
    kept = await real.hash("a lamp beside the river")
    assert kept.startswith(f"$argon2id$v=19$m={COST.memory_kib},t={COST.passes},p={COST.lanes}$")
    assert await real.matches(kept, "a lamp beside the river")
    assert not real.is_outdated(kept)
    real.close()


async def test_two_people_with_one_password_are_stored_differently(passwords: Passwords) -> None:
    assert await passwords.hash("a lamp beside the river") != await passwords.hash("a lamp beside the river")


async def test_the_same_keys_pressed_on_another_keyboard_are_the_same_password(passwords: Passwords) -> None:
    composed, decomposed = "caf\u00e9 au bord du lac", "cafe\u0301 au bord du lac"
    assert await passwords.matches(await passwords.hash(composed), decomposed)


async def test_a_wave_of_sign_ins_is_turned_away_instead_of_piling_up(passwords: Passwords) -> None:
    checks = [passwords.matches(None, "a lamp beside the river") for _ in range(MOST_WAITING + 10)]
    results = await asyncio.gather(*checks, return_exceptions=True)
    assert [type(result).__name__ for result in results].count("TooManyAttemptsError") == 10
    assert not await passwords.matches(None, "a lamp beside the river")


async def test_who_has_no_password_cannot_be_guessed(passwords: Passwords) -> None:
    assert not await passwords.matches(None, "nobody has this password")
    assert not await passwords.matches("not a hash at all", "a lamp beside the river")


async def test_a_hash_of_another_cost_is_outdated(passwords: Passwords) -> None:
    dearer = Passwords(HashCost(memory_kib=128, passes=1, lanes=1))
    assert dearer.is_outdated(await passwords.hash("a lamp beside the river"))
    dearer.close()
