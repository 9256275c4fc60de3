"""What the tenant has used of its plan: calls, minutes, sessions (browser and text), bookings, knowledge in a period.

Counted from the calls themselves, so it is what was done and not what was metered; limits are the plan's, with the
shares at which a tenant is warned. Part of `server.rest.api`.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from litestar import get
from litestar.params import Parameter
from litestar.types import ControllerRouterHandler

from billing.plans import PERCENT, shipped_plans
from context.bookings.tables import bookings
from context.calls.tables import calls
from context.conversations.tables import conversations
from context.security.principal import Principal, Scope
from context.store.transaction import TenantTransaction
from context.tenants.config import TenantConfig
from server.rest.auth import requires, tenant_of
from server.rest.problems import bad_field, not_found
from server.rest.services import Services

PHONE_CHANNEL = "phone"
LONGEST_PERIOD = dt.timedelta(days=366)
MINUTE_S = 60


class Used(msgspec.Struct, frozen=True):
    """One thing used. limit: of the plan for a month, null for none. percent: of the limit. warning: the highest share
    that was passed, null for none."""

    name: str
    used: float
    limit: int | None
    percent: float | None
    warning: int | None


class UsageView(msgspec.Struct, frozen=True):
    """A period, its end excluded."""

    since: dt.datetime
    until: dt.datetime
    plan: str
    currency: str
    items: list[Used]


@get("/usage", guards=[requires(Scope.USAGE_READ)], tags=["usage"], summary="See what was used of the plan")
async def get_usage(
    principal: Principal,
    services: Services,
    since: Annotated[
        dt.datetime | None, Parameter(description="From then on; this month, where the tenant is, when left out.")
    ] = None,
    until: Annotated[dt.datetime | None, Parameter(description="Before then; now, when left out.")] = None,
) -> UsageView:
    """Counts and minutes of a period of at most 366 days. Without a time zone an instant is UTC."""
    tenant = services.tenants.by_id(tenant_of(principal))
    if tenant is None:
        raise not_found("tenant")
    now = services.now()
    end = _aware(until) if until else now
    begin = _aware(since) if since else _month_of(now, tenant)
    if begin > end:
        raise bad_field("since", f"before {end.isoformat()}", begin.isoformat())
    if end - begin > LONGEST_PERIOD:
        raise bad_field("since", f"at most {LONGEST_PERIOD.days} days before the end", begin.isoformat())
    return UsageView(begin, end, tenant.plan, tenant.currency, await _items(services, tenant, begin, end))


async def _items(services: Services, tenant: TenantConfig, begin: dt.datetime, end: dt.datetime) -> list[Used]:
    plan = shipped_plans().plan(tenant.plan)
    first, last = begin.timestamp(), end.timestamp()
    within = (calls.c.started_at >= first, calls.c.started_at < last)
    begun = (conversations.c.started_at_ms >= int(first * 1000), conversations.c.started_at_ms < int(last * 1000))
    async with services.store.tenant(tenant.id).reading() as transaction:
        phone_calls, phone_s = await _calls(transaction, *within, calls.c.channel == PHONE_CHANNEL)
        sessions, session_s = await _calls(transaction, *within, calls.c.channel != PHONE_CHANNEL)
        writing = await transaction.count(conversations, conversations.c.ended.is_(False), *begun)
        made = await transaction.count(
            bookings, bookings.c.created_at_s >= int(first), bookings.c.created_at_s < int(last)
        )
    return [
        _used("phone_calls", phone_calls, plan.calls if plan else None),
        _used("phone_minutes", _minutes(phone_s), plan.minutes.included if plan and plan.minutes else None),
        _used("sessions", sessions + writing, plan.sessions if plan else None),
        _used("session_minutes", _minutes(session_s), None),
        _used("bookings", made, None),
        _used("knowledge_entries", len(tenant.facts), plan.knowledge_entries if plan else None),
    ]


async def _calls(transaction: TenantTransaction, *where: sa.ColumnElement[bool]) -> tuple[int, float]:
    """How many calls, and their seconds together."""
    totals = [sa.func.count().label("calls"), sa.func.coalesce(sa.func.sum(calls.c.duration_s), 0.0).label("seconds")]
    [row] = await transaction.rows(calls, *where, columns=totals)
    return int(row["calls"]), float(row["seconds"])


def _minutes(seconds: float) -> float:
    return round(seconds / MINUTE_S, 2)


def _used(name: str, used: float, limit: int | None) -> Used:
    percent = round(used * PERCENT / limit, 1) if limit else None
    passed = [share for share in shipped_plans().warnings_percent if percent is not None and percent >= share]
    return Used(name, used, limit, percent, max(passed, default=None))


def _month_of(now: dt.datetime, tenant: TenantConfig) -> dt.datetime:
    local = now.astimezone(ZoneInfo(tenant.timezone))
    return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _aware(instant: dt.datetime) -> dt.datetime:
    return instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)


handlers: Sequence[ControllerRouterHandler] = (get_usage,)

EXAMPLES = (
    UsageView(
        dt.datetime(2026, 11, 1, tzinfo=dt.UTC),
        dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC),
        "starter",
        "EUR",
        [Used("phone_calls", 412, 500, 82.4, 80)],
    ),
)
