"""Passwords: which are good enough, how they are kept, how one is checked.

argon2id, in one thread of its own: a wave of sign-ins must not take the cores and the memory that live calls need.
Used by `context.users.accounts`.
"""

import asyncio
import itertools
import string
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import argon2
import msgspec
from argon2.exceptions import InvalidHashError, VerificationError

from context.users.errors import TooManyAttemptsError, WeakPasswordError

_T = TypeVar("_T")

SHORTEST_CHARS = 12
LONGEST_CHARS = 128
"""argon2 itself would take more: this bounds the work that a request can ask for."""

FEWEST_KINDS = 5
"""Different characters in a password: "aaaaaaaaaaaa" has one."""

COMMON_PASSWORDS = 12_000
"""Of zxcvbn's list, the most frequent first."""

LONGEST_DECORATION_CHARS = 6
"""How much may surround a common password before it counts as another one: "Password123!" is "password"."""

MOST_WAITING = 64
"""Passwords that wait to be checked, two seconds' work; who comes after them is asked to come back."""

WAIT_S = 5.0

_LEET = str.maketrans("013457@$!", "oleastasi")


class HashCost(msgspec.Struct, frozen=True):
    """What one check costs an attacker, and us: memory in KiB, passes over it, threads."""

    memory_kib: int
    passes: int
    lanes: int


COST = HashCost(memory_kib=19_456, passes=2, lanes=1)
"""OWASP's recommendation for argon2id: 19 MiB, two passes, one lane; about 30 ms of one core."""


def check_password(password: str, *, known: tuple[str, ...] = ()) -> None:
    """Refuse what an attacker tries first. known: texts about the person (name, address) that it must not be made of.

    Length and a list of common passwords, no rules on kinds of characters (NIST SP 800-63B). Raises WeakPasswordError.
    """
    length = len(password)
    if not SHORTEST_CHARS <= length <= LONGEST_CHARS:
        raise WeakPasswordError(f"password: expected {SHORTEST_CHARS} to {LONGEST_CHARS} characters, found {length}")
    if len(set(password)) < FEWEST_KINDS:
        raise WeakPasswordError(f"password: expected at least {FEWEST_KINDS} different characters")
    lower = unicodedata.normalize("NFKC", password).casefold()
    if _is_run(lower):
        raise WeakPasswordError("password: it is a row of neighbouring characters, which is guessed first")
    if any({core, core.translate(_LEET)} & _common() for core in _cores(lower)):
        raise WeakPasswordError("password: it is on the list of common passwords, or one of them with a decoration")
    for text in known:
        word = unicodedata.normalize("NFKC", text).casefold()
        if len(word) >= FEWEST_KINDS and word in lower and length - len(word) <= LONGEST_DECORATION_CHARS:
            raise WeakPasswordError("password: it is made of your own name or address")


class Passwords:
    """Hashes and checks passwords off the event loop. Raises TooManyAttemptsError when too many wait."""

    def __init__(self, cost: HashCost = COST) -> None:
        self._hasher = argon2.PasswordHasher(
            time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes, type=argon2.Type.ID
        )
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")
        self._waiting = 0
        # Checked when there is no account, so that its absence takes as long as a wrong password.
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """The password as it is kept: argon2's own text, with its parameters and salt."""
        return await self._run(lambda: self._hasher.hash(_bytes(password)))

    async def matches(self, kept: str | None, password: str) -> bool:
        """Whether this is the password; always False, after the same time, when there is none."""
        right = await self._run(lambda: self._verified(kept or self._nobody, password))
        return right and kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Whether it was hashed at another cost than today's, and should be hashed again."""
        return self._hasher.check_needs_rehash(kept)

    def close(self) -> None:
        """End the thread, after what it is doing."""
        self._executor.shutdown()

    async def _run(self, work: Callable[[], _T]) -> _T:
        if self._waiting >= MOST_WAITING:
            raise TooManyAttemptsError(WAIT_S)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._waiting -= 1

    def _verified(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False


def _bytes(password: str) -> bytes:
    # The same key press may arrive composed or decomposed, depending on the keyboard.
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def _cores(form: str) -> set[str]:
    """The text, what is left without a little decoration at its ends, and the half that it repeats."""
    cores = {form}
    bare = form.strip(string.digits + string.punctuation + string.whitespace)
    if len(form) - len(bare) <= LONGEST_DECORATION_CHARS:
        cores.add(bare)
    half = form[: len(form) // 2]
    if form == half * 2:
        cores.add(half)
    return cores


def _is_run(form: str) -> bool:
    steps = {ord(after) - ord(before) for before, after in itertools.pairwise(form)}
    return steps in ({1}, {-1})


@cache
def _common() -> frozenset[str]:
    """The most used passwords, lower case."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # 40 ms, for the first password that is checked

    return frozenset(word.lower() for word in FREQUENCY_LISTS["passwords"][:COMMON_PASSWORDS])
