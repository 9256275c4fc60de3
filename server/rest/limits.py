"""How many requests: per key by the tenant's plan, per address for who has not shown a key that opens something.

A request with a key counts against the key alone, so that a tenant's server may use what its plan allows; a wrong key
counts against its sender's address, and so does every guess at a password. Called by `server.rest.auth`.
"""

import math
from typing import Any

from litestar import Request

from context.security.principal import Principal, PrincipalKind
from context.security.rate_limit import Limit, address_bucket
from server.rest.problems import Problem
from server.rest.services import MINUTE_S, Services


async def count_stranger(request: Request[Any, Any, Any], services: Services) -> None:
    """Count a request without a valid key. Raises Problem 429."""
    address = request.client.host if request.client else "unknown"
    await _take(services, address_bucket("rest", address), services.limits.per_address)


async def count_principal(services: Services, principal: Principal) -> None:
    """Count a request of a key or user. Raises Problem 429."""
    limit = services.limits.per_operator
    if principal.kind is not PrincipalKind.OPERATOR:
        limit = Limit(services.requests_a_minute(principal.tenant_id), MINUTE_S)
    await _take(services, f"rest:{principal.kind}:{principal.id}:{limit.count}", limit)


async def _take(services: Services, bucket: str, limit: Limit) -> None:
    wait_s = await services.limiter.take(bucket, limit)
    if wait_s > 0:
        seconds = max(1, math.ceil(wait_s))
        raise Problem(
            429,
            "rate_limited",
            f"Too many requests: {limit.count} in {limit.per_s:.0f} s are allowed. Come back in {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )
