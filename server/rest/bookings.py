"""Appointments over REST: which slots are free, the list, making, moving and cancelling one.

The same desk as on the phone sells the slots, so a slot is sold once whoever sells it. A booking made here belongs to
no call; its `call_id` begins with "api-". Part of `server.rest.api`.
"""

import datetime as dt
import hashlib
import secrets
from collections.abc import Sequence
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from litestar import Controller, Request, delete, get, patch, post
from litestar.params import Parameter
from litestar.types import ControllerRouterHandler

from context.bookings.desk import BookingNotFound, SlotTaken
from context.bookings.store import StoredBookingDesk
from context.bookings.tables import bookings
from context.contacts.points import email_point
from context.security.principal import Principal, Scope
from context.store.transaction import Row
from context.tenants.config import TenantConfig
from server.rest.auth import requires, tenant_of
from server.rest.etags import check_if_match
from server.rest.idempotency import HEADER as IDEMPOTENCY_HEADER
from server.rest.paging import Page, PageQuery
from server.rest.problems import Problem, bad_field, not_found
from server.rest.services import Services

CALL_PREFIX = "api-"
CALL_ID_BYTES = 12
FURTHEST = dt.timedelta(days=800)
"""No tenant sells further ahead; beyond it calendars overflow."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
ServiceId = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Instant = Annotated[dt.datetime, msgspec.Meta(tz=True)]


class BookingView(msgspec.Struct, frozen=True):
    """An appointment. starts_at: in the tenant's time zone. cancelled_at: null while it stands."""

    id: str
    call_id: str
    service_id: str
    starts_at: dt.datetime
    minutes: int
    name: str
    phone: str
    email: str
    notes: str
    created_at: dt.datetime
    cancelled_at: dt.datetime | None


class NewBooking(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An appointment to make. starts_at: one of the free slots, with its time zone. phone or email is needed."""

    service_id: ServiceId
    starts_at: Instant
    name: Name
    phone: Annotated[str, msgspec.Meta(max_length=40)] = ""
    email: Annotated[str, msgspec.Meta(max_length=254)] = ""


class MoveBooking(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to move an appointment: one of the free slots, with its time zone."""

    starts_at: Instant


class SlotsView(msgspec.Struct, frozen=True):
    """Free starts of one service on one day, in the tenant's time zone."""

    service_id: str
    day: dt.date
    starts: list[dt.datetime]


class Bookings(Controller):
    """Appointments of the tenant."""

    path = "/bookings"
    tags: Sequence[str] = ["bookings"]  # pyright: ignore[reportIncompatibleVariableOverride]

    @get("/", guards=[requires(Scope.BOOKINGS_READ)], summary="List bookings, latest start first")
    async def list_bookings(
        self,
        principal: Principal,
        services: Services,
        page: PageQuery,
        since: Annotated[dt.datetime | None, Parameter(description="Starting then or later.")] = None,
        until: Annotated[dt.datetime | None, Parameter(description="Starting before then.")] = None,
        call_id: Annotated[str | None, Parameter(description="Made in this call.", max_length=200)] = None,
        include_cancelled: Annotated[bool, Parameter(description="Cancelled ones too.")] = False,
    ) -> Page[BookingView]:
        """The tenant's appointments. Without a time zone an instant is UTC."""
        tenant = _tenant(services, principal)
        where: list[sa.ColumnElement[bool]] = [*page.condition(bookings.c.starts_at_s, bookings.c.id)]
        if since is not None:
            where.append(bookings.c.starts_at_s >= _second(since))
        if until is not None:
            where.append(bookings.c.starts_at_s < _second(until))
        if call_id is not None:
            where.append(bookings.c.call_id == call_id)
        if not include_cancelled:
            where.append(bookings.c.cancelled_at_s.is_(None))
        latest_first = [bookings.c.starts_at_s.desc(), bookings.c.id.desc()]
        async with services.store.tenant(tenant.id).reading() as transaction:
            rows = await transaction.rows(bookings, *where, order_by=latest_first, limit=page.limit + 1)
        return page.page(rows, lambda row: (row["starts_at_s"], row["id"]), lambda row: _view(row, tenant))

    @get("/slots", guards=[requires(Scope.BOOKINGS_READ)], summary="List free slots of a day")
    async def list_slots(
        self,
        principal: Principal,
        services: Services,
        service_id: Annotated[str, Parameter(description="Id of a service that can be booked.", max_length=100)],
        day: Annotated[dt.date, Parameter(description="In the tenant's time zone.")],
    ) -> SlotsView:
        """Starts that may be booked now; none when closed, full, too soon or too far ahead."""
        tenant = _tenant(services, principal)
        _check_service(tenant, service_id)
        today = services.now().date()
        starts: list[dt.datetime] = []
        if abs(day - today) <= FURTHEST:
            starts = await _desk(services, tenant).free_slots(service_id, day)
        return SlotsView(service_id, day, starts)

    @get("/{booking_id:str}", guards=[requires(Scope.BOOKINGS_READ)], summary="Get one booking")
    async def get_booking(self, booking_id: str, principal: Principal, services: Services) -> BookingView:
        """One appointment, cancelled or not."""
        return await _booking(services, _tenant(services, principal), booking_id)

    @post("/", guards=[requires(Scope.BOOKINGS_WRITE)], summary="Make a booking")
    async def create_booking(
        self, data: NewBooking, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> BookingView:
        """Sell a free slot. 409 `slot_taken` when it is not free any more."""
        tenant = _tenant(services, principal)
        _check_service(tenant, data.service_id)
        if not data.phone and not data.email:
            raise bad_field("phone", "phone or email is needed")
        phone = services.contacts.phone(tenant.id, data.phone).value if data.phone else ""
        email = email_point(data.email).value if data.email else ""
        _check_instant(services, data.starts_at)
        try:
            booking = await _desk(services, tenant).book(
                call_id=_call_id(request, principal),
                service_id=data.service_id,
                starts_at=data.starts_at,
                name=data.name,
                phone=phone,
                email=email,
            )
        except SlotTaken as error:
            raise _slot_taken(error) from error
        return await _booking(services, tenant, booking.id)

    @patch("/{booking_id:str}", guards=[requires(Scope.BOOKINGS_WRITE)], summary="Move a booking")
    async def move_booking(
        self,
        booking_id: str,
        data: MoveBooking,
        request: Request[Any, Any, Any],
        principal: Principal,
        services: Services,
    ) -> BookingView:
        """Change the start. The old slot is given back only when the new one is free, else 409 `slot_taken`."""
        tenant = _tenant(services, principal)
        before = await _booking(services, tenant, booking_id)
        check_if_match(request, before)
        if before.cancelled_at is not None:
            raise Problem(409, "booking_cancelled", "This booking was cancelled: make a new one.")
        _check_instant(services, data.starts_at)
        try:
            await _desk(services, tenant).move(booking_id, data.starts_at)
        except SlotTaken as error:
            raise _slot_taken(error) from error
        except BookingNotFound as error:
            raise Problem(409, "booking_cancelled", "This booking was cancelled: make a new one.") from error
        return await _booking(services, tenant, booking_id)

    @delete(
        "/{booking_id:str}",
        guards=[requires(Scope.BOOKINGS_WRITE)],
        status_code=200,
        summary="Cancel a booking",
    )
    async def cancel_booking(
        self, booking_id: str, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> BookingView:
        """Give the slot back. Cancelling twice is cancelling once."""
        tenant = _tenant(services, principal)
        check_if_match(request, await _booking(services, tenant, booking_id))
        await _desk(services, tenant).cancel(booking_id)
        return await _booking(services, tenant, booking_id)


def _tenant(services: Services, principal: Principal) -> TenantConfig:
    tenant = services.tenants.by_id(tenant_of(principal))
    if tenant is None:
        raise not_found("tenant")
    return tenant


def _desk(services: Services, tenant: TenantConfig) -> StoredBookingDesk:
    return StoredBookingDesk(services.store, tenant, services.now)


def _call_id(request: Request[Any, Any, Any], principal: Principal) -> str:
    """What stands for the call: the idempotency key, so that a repetition is the same booking even after a crash."""
    key = request.headers.get(IDEMPOTENCY_HEADER)
    if key is None:
        return CALL_PREFIX + secrets.token_hex(CALL_ID_BYTES)
    digest = hashlib.sha256(f"{principal.id}\n{key}".encode()).digest()
    return CALL_PREFIX + digest[:CALL_ID_BYTES].hex()


def _check_service(tenant: TenantConfig, service_id: str) -> None:
    bookable = [service.id for service in tenant.services if service.bookable]
    if service_id not in bookable:
        raise bad_field("service_id", f"one of {', '.join(bookable) or 'no service: none can be booked'}", service_id)


def _check_instant(services: Services, starts_at: dt.datetime) -> None:
    if abs(starts_at - services.now()) > FURTHEST:
        raise Problem(409, "slot_taken", "This is outside what is ever sold; ask for the free slots of a day.")


def _slot_taken(error: SlotTaken) -> Problem:
    return Problem(409, "slot_taken", f"{error}; ask for the free slots of the day.")


async def _booking(services: Services, tenant: TenantConfig, booking_id: str) -> BookingView:
    async with services.store.tenant(tenant.id).reading() as transaction:
        row = await transaction.row(bookings, bookings.c.id == booking_id)
    if row is None:
        raise not_found("booking")
    return _view(row, tenant)


def _view(row: Row, tenant: TenantConfig) -> BookingView:
    zone = ZoneInfo(tenant.timezone)
    cancelled_at_s = row["cancelled_at_s"]
    return BookingView(
        id=row["id"],
        call_id=row["call_id"],
        service_id=row["service_id"],
        starts_at=dt.datetime.fromtimestamp(row["starts_at_s"], zone),
        minutes=row["minutes"],
        name=row["name"],
        phone=row["phone"],
        email=row["email"],
        notes=row["notes"],
        created_at=dt.datetime.fromtimestamp(row["created_at_s"], dt.UTC),
        cancelled_at=None if cancelled_at_s is None else dt.datetime.fromtimestamp(cancelled_at_s, dt.UTC),
    )


def _second(instant: dt.datetime) -> int:
    return int((instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)).timestamp())


handlers: Sequence[ControllerRouterHandler] = (Bookings,)

_PARIS = dt.timezone(dt.timedelta(hours=1))
EXAMPLES = (
    BookingView(
        id="8f1f6a0f2d3c4b5a69788796",
        call_id="5f0c9a3b7d1e4a6b8c2d",
        service_id="cleaning",
        starts_at=dt.datetime(2026, 11, 24, 10, 0, tzinfo=_PARIS),
        minutes=45,
        name="Anne Roy",
        phone="+33612345678",
        email="",
        notes="",
        created_at=dt.datetime(2026, 11, 20, 9, 31, tzinfo=dt.UTC),
        cancelled_at=None,
    ),
    NewBooking("cleaning", dt.datetime(2026, 11, 24, 10, 0, tzinfo=_PARIS), "Anne Roy", "+33612345678"),
    MoveBooking(dt.datetime(2026, 11, 25, 14, 0, tzinfo=_PARIS)),
    SlotsView("cleaning", dt.date(2026, 11, 24), [dt.datetime(2026, 11, 24, 10, 0, tzinfo=_PARIS)]),
)
