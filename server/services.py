"""What REST works with, and the work that is due again and again: made of the ground and what calls share.

Built by `server.running` once the engines are loaded; the resources of `server.rest` are handed the services.
"""

import datetime as dt
import time

from billing.plans import shipped_plans
from context.bookings.store import utc_now
from context.contacts.stale import StaleJob
from context.conversations.store import Conversations
from context.erasure.erase import Erasures
from context.erasure.providers import all_personal_data, said_in_calls
from context.erasure.retention import RetentionJob
from context.events.event import Event, EventType
from context.idempotency.store import IdempotentRequests
from context.security.audit_anchors import MOVED_EVERY_S
from context.security.rate_limit import REST_PER_ADDRESS
from context.security.tables import THE_SERVER
from context.tenants.removal import CallRecordings, TenantRemoval, VaultSecrets
from server.call_desk import Equipment
from server.ground import Ground
from server.housekeeping import Job
from server.rest.services import Services
from server.rest.turnstile import Turnstile
from server.text_turns import TextTurns

MINUTE_S = 60.0
HOUR_S = 3600.0

ACTOR = "housekeeping"
"""Who did it, in the audit log."""


def build_services(ground: Ground, equipment: Equipment) -> Services:
    """Everything that a request may need."""
    personal_data = all_personal_data(time.time)
    conversations = Conversations(ground.store, time.time)

    def requests_a_minute(tenant_id: str) -> int:
        tenant = ground.tenants.by_id(tenant_id)
        plan = shipped_plans().plan(tenant.plan) if tenant else None
        return plan.rest_per_minute if plan else REST_PER_ADDRESS.count

    return Services(
        store=ground.store,
        now=utc_now,
        keys=ground.keys,
        limiter=ground.limiter,
        tenants=ground.tenants,
        stored_tenants=ground.stored_tenants,
        calls=ground.calls,
        contacts=ground.contacts,
        boxes=ground.boxes,
        personal_data=personal_data,
        erasures=Erasures(ground.store, ground.home.recordings, personal_data, time.time),
        recordings=ground.home.recordings,
        runtimes=equipment.runtimes,
        responders=equipment.responders,
        conversations=conversations,
        text_turns=TextTurns(conversations, ground.calls, equipment.responders, time.time),
        hearing=Turnstile(),
        speaking=Turnstile(),
        idempotency=IdempotentRequests(ground.store, time.time),
        users=ground.people.users,
        anchors=ground.anchors,
        people=ground.people,
        webhooks=ground.webhooks,
        bus=ground.bus,
        requests_a_minute=requests_a_minute,
    )


def jobs(ground: Ground, services: Services) -> list[Job]:
    """What is due again and again; the first turn of each is at the start."""
    stale = StaleJob(ground.store, ground.bus.wake)
    retention = RetentionJob(
        ground.store, ground.home.recordings, lambda tenant_id: _history_days(ground, tenant_id), said_in_calls()
    )
    removal = TenantRemoval(
        ground.store,
        ground.stored_tenants,
        utc_now,
        [CallRecordings(ground.store, ground.home.recordings), VaultSecrets(ground.vault)],
        audit=ground.audit,
    )
    return [
        Job("finish erasures", HOUR_S, services.erasures.resume),
        Job("finish removals of tenants", HOUR_S, lambda: removal.resume_all(actor=ACTOR)),
        Job("mark stale contexts", HOUR_S, lambda: stale.run(dt.datetime.now(dt.UTC))),
        Job("forget old calls", 6 * HOUR_S, lambda: retention.run(time.time())),
        Job("close idle conversations", MINUTE_S, services.text_turns.close_idle),
        Job("forget ended conversations", HOUR_S, services.conversations.forget_ended),
        Job("forget ended sessions", HOUR_S, ground.people.users.forget_ended),
        Job("anchor the audit log", MOVED_EVERY_S, lambda: _anchor(ground)),
    ]


async def _anchor(ground: Ground) -> None:
    """Move the anchors, and alert every tenant whose chain is broken: once for each place that is found."""
    for report in await ground.anchors.advance():
        if report.tenant_id == THE_SERVER:
            continue  # the installation's own chain is the operator's, who reads the log
        alert = Event(
            id=f"audit-broken.{report.tenant_id}.{report.end}",
            type=EventType.SYSTEM_ALERT,
            tenant_id=report.tenant_id,
            occurred_at=time.time(),
            source="audit",
            payload={"alert": "audit_chain_broken", "faults": len(report.faults)},
        )
        await ground.bus.publish(alert)


def _history_days(ground: Ground, tenant_id: str) -> int | None:
    """How long a tenant's calls are kept: as it says itself, at most as its plan allows."""
    tenant = ground.tenants.by_id(tenant_id)
    if tenant is None:
        return None
    plan = shipped_plans().plan(tenant.plan)
    limits = [days for days in (tenant.policies.retention_days, plan.history_days if plan else None) if days]
    return min(limits, default=None)
