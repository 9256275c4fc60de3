"""Personal data in the log of webhooks: what receivers answered to events of a person's calls.

Deliveries hold ids of events and never their content; only the beginning of an answer may repeat what was sent, so
that is what an export shows and an erasure blanks. Registered with `context.erasure`.
"""

from typing import Any

import sqlalchemy as sa

from context.erasure.registry import Subject
from context.store.transaction import TenantTransaction
from context.webhooks.tables import webhook_attempts, webhook_deliveries

_IDS_A_STATEMENT = 500


class WebhookPersonalData:
    """Answers to webhooks about one person (implements `context.erasure.registry.PersonalData`)."""

    name = "webhooks"

    async def export(self, transaction: TenantTransaction, subject: Subject) -> list[dict[str, Any]]:
        """Each attempt whose answer may tell of the person."""
        return [
            {"delivery_id": row["delivery_id"], "at_ms": row["at_ms"], "response": row["response"]}
            for row in await self._attempts(transaction, subject)
        ]

    async def erase(self, transaction: TenantTransaction, subject: Subject) -> int:
        """Blank those answers."""
        erased = 0
        for row in await self._attempts(transaction, subject):
            erased += await transaction.update(
                webhook_attempts,
                {"response": ""},
                webhook_attempts.c.delivery_id == row["delivery_id"],
                webhook_attempts.c.attempt == row["attempt"],
            )
        return erased

    async def _attempts(self, transaction: TenantTransaction, subject: Subject) -> list[dict[str, Any]]:
        found: dict[tuple[str, int], dict[str, Any]] = {}
        calls = sorted(subject.call_ids)
        about: list[sa.ColumnElement[bool]] = [
            webhook_deliveries.c.correlation_id.in_(calls[first : first + _IDS_A_STATEMENT])
            for first in range(0, len(calls), _IDS_A_STATEMENT)
        ]
        if subject.contact_id:
            about.append(webhook_deliveries.c.contact_id == subject.contact_id)
        for condition in about:
            deliveries = sa.select(webhook_deliveries.c.id).where(
                webhook_deliveries.c.tenant_id == transaction.tenant_id, condition
            )
            rows = await transaction.rows(
                webhook_attempts, webhook_attempts.c.delivery_id.in_(deliveries), webhook_attempts.c.response != ""
            )
            found |= {(row["delivery_id"], row["attempt"]): dict(row) for row in rows}
        return list(found.values())
