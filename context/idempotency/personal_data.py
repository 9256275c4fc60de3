"""Personal data in kept answers: they are sealed under keys that only the clients have, so nobody here can read them.

An erasure drops every kept answer of the tenant, because none can be told to be about somebody else; that the requests
were done stays known. Registered with `context.erasure`.
"""

from typing import Any

from context.erasure.registry import Subject
from context.idempotency.store import State
from context.idempotency.tables import idempotent_requests
from context.store.transaction import TenantTransaction


class IdempotencyPersonalData:
    """Kept answers (implements `context.erasure.registry.PersonalData`)."""

    name = "kept_answers"

    async def export(self, transaction: TenantTransaction, subject: Subject) -> list[dict[str, Any]]:
        """Nothing: what cannot be opened cannot be shown."""
        return []

    async def erase(self, transaction: TenantTransaction, subject: Subject) -> int:
        """Drop the answers; how many there were."""
        return await transaction.update(
            idempotent_requests,
            {"state": State.UNKEPT, "answer": ""},
            idempotent_requests.c.state == State.ANSWERED,
        )
