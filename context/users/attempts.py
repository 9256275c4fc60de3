"""How often somebody may try to sign in: the longer they fail, the longer they wait.

Counted for an account from one address, for the account from everywhere and for the address, so that neither one
password list nor one botnet gets far, and a stranger who fails on purpose does not lock the owner out. Shared between
processes by the rate limiter. Used by `context.users.people`.
"""

from typing import Protocol

from context.security.rate_limit import Limit, address_bucket
from context.users.errors import TooManyAttemptsError
from context.users.transactions import digest

AT_ONE_ACCOUNT_FROM_ONE_ADDRESS = (Limit(5, 60), Limit(15, 3_600), Limit(40, 86_400))
"""Each further row is slower: after 5 tries one a 12 s, after 15 one in 4 minutes, after 40 one in 36 minutes."""

AT_ONE_ACCOUNT = (Limit(100, 3_600),)
FROM_ONE_ADDRESS = (Limit(20, 60), Limit(200, 3_600))

DIGEST_CHARS = 24
"""Buckets are named by digests: an e-mail address is nothing that a limiter needs to know."""


class Limiter(Protocol):
    """The rate limiter, as far as it is needed here (`context.security.rate_limit.RateLimiter`)."""

    async def take(self, bucket: str, limit: Limit) -> float:
        """Seconds to wait; 0 when it is allowed now."""
        ...


async def require_attempt(limiter: Limiter, email: str, address: str) -> None:
    """Count one attempt, before the password is looked at. address: of the client. Raises TooManyAttemptsError."""
    who, where = digest(email)[:DIGEST_CHARS], _place(address)
    waits = [
        await limiter.take(f"sign-in:{name}:{limit.per_s:g}", limit)
        for name, limits in (
            (f"address:{where}", FROM_ONE_ADDRESS),
            (f"both:{who}:{where}", AT_ONE_ACCOUNT_FROM_ONE_ADDRESS),
            (f"account:{who}", AT_ONE_ACCOUNT),
        )
        for limit in limits
    ]
    if max(waits) > 0:
        raise TooManyAttemptsError(max(waits))


async def require_link_attempt(limiter: Limiter, address: str) -> None:
    """Count one try to open a one-time link. Raises TooManyAttemptsError."""
    wait_s = await limiter.take(f"link:{_place(address)}", FROM_ONE_ADDRESS[0])
    if wait_s > 0:
        raise TooManyAttemptsError(wait_s)


def _place(address: str) -> str:
    return digest(address_bucket("sign-in", address))[:DIGEST_CHARS]
