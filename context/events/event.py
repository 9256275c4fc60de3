"""An event: something that happened to a tenant, told to whoever subscribed.

The envelope of product facts, section 8. Made by whoever changes state, written by `context.events.outbox` in the same
transaction as that change, handed to subscribers by `context.events.bus`.
"""

import secrets
from enum import StrEnum
from typing import Any

import msgspec

SCHEMA_VERSION = 1
ID_BYTES = 16


class EventType(StrEnum):
    """Types that Parley itself publishes. A tenant's integration may bring others, which are kept as they come."""

    CALL_STARTED = "call.started"
    CALL_COMPLETED = "call.completed"
    CALL_ANALYSED = "call.analysed"
    LEAD_SCORED = "lead.scored"
    LEAD_QUALIFIED = "lead.qualified"
    LEAD_CONVERTED = "lead.converted"
    BOOKING_REQUESTED = "booking.requested"
    BOOKING_CONFIRMED = "booking.confirmed"
    BOOKING_CANCELLED = "booking.cancelled"
    PAYMENT_INITIATED = "payment.initiated"
    PAYMENT_COMPLETED = "payment.completed"
    PAYMENT_FAILED = "payment.failed"
    INVOICE_DRAFTED = "invoice.drafted"
    INVOICE_SENT = "invoice.sent"
    HITL_REQUESTED = "hitl.requested"
    HITL_APPROVED = "hitl.approved"
    HITL_REJECTED = "hitl.rejected"
    HITL_EXPIRED = "hitl.expired"
    CONTEXT_UPDATED = "context.updated"
    CONTEXT_HANDOFF = "context.handoff"
    ERROR_RECORDED = "error.recorded"
    ERROR_RULE_PROPOSED = "error.rule_proposed"
    ERROR_RULE_ACTIVATED = "error.rule_activated"
    ERROR_RULE_REVERTED = "error.rule_reverted"
    LEARNING_FACT_EXTRACTED = "learning.fact_extracted"
    LEARNING_FACT_APPROVED = "learning.fact_approved"
    LEARNING_FACT_REJECTED = "learning.fact_rejected"
    KB_UPDATED = "kb.updated"
    KB_ROLLED_BACK = "kb.rolled_back"
    SUCCESS_ONBOARDING_STARTED = "success.onboarding_started"
    SUCCESS_CSQL_IDENTIFIED = "success.csql_identified"
    SUCCESS_CHURN_RISK_CHANGED = "success.churn_risk_changed"
    QUOTA_WARNING = "quota.warning"
    QUOTA_EXCEEDED = "quota.exceeded"
    TENANT_PROVISIONED = "tenant.provisioned"
    SYSTEM_ALERT = "system.alert"
    SYSTEM_RECOVERED = "system.recovered"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event.

    id: makes a second publication count once. type: of `EventType`, or unknown and kept. occurred_at: seconds since
    the epoch, UTC. correlation_id: the call it belongs to, or "". causation_id: the event that led to it, or "".
    source: the part of Parley that says so. payload: plain JSON; fields that this version does not know survive.
    """

    id: str
    type: str
    tenant_id: str
    occurred_at: float
    source: str
    correlation_id: str = ""
    causation_id: str = ""
    schema_version: int = SCHEMA_VERSION
    payload: dict[str, Any] = {}


def new_event_id() -> str:
    """A random id, for events that nothing else identifies."""
    return secrets.token_hex(ID_BYTES)
