"""Builds context boxes from what happens: finished calls, appointments, leads.

One transactional subscriber: the contact, the box, its version and the mark that the event was handled are stored
together or not at all, and an event that is delivered again changes nothing. Made by the composition and given to the
event bus.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from context.contacts import box_rows, contact_rows, merging
from context.contacts.box import CommitmentStatus, ContextBox, HistoryEntry, HistoryKind, Source
from context.contacts.box_rows import Writing
from context.contacts.call_report import CallReport, call_report, plain_text
from context.contacts.changes import Change, advanced, happened, promised, settled, touched
from context.contacts.contact import Contact, ContactNotFoundError
from context.contacts.extraction import ACTOR, CallIdentity, appointment, identity_of, with_call
from context.contacts.points import ContactPoint, points_found
from context.contacts.qualification_report import qualification_of, qualified_box
from context.contacts.states import BoxState
from context.events.event import Event, EventType
from context.events.subscription import Subscription
from context.store.transaction import TenantTransaction

NAME = "context-box"
TYPES = (EventType.CALL_COMPLETED.value, "booking.*", "lead.*")

_BOOKED = {
    EventType.BOOKING_REQUESTED.value: (BoxState.ENGAGED, "an appointment was asked for"),
    EventType.BOOKING_CONFIRMED.value: (BoxState.BOOKED, "an appointment was made"),
}


def box_from_events(country_of: Callable[[str], str]) -> Subscription:
    """The subscription. country_of: tenant id -> ISO 3166 alpha-2, "" when unknown."""
    return Subscription(NAME, TYPES, BoxBuilder(country_of).handle)


class BoxBuilder:
    """Handles events of calls, appointments and leads; others are ignored."""

    def __init__(self, country_of: Callable[[str], str]) -> None:
        self._country_of = country_of

    async def handle(self, event: Event, transaction: TenantTransaction) -> None:
        """Bring the box of whom the event is about up to date. Raises CallReportError and StoreError."""
        if event.payload.get("erased"):
            return  # nothing is left in it of the person, who must not come back as a stranger
        await contact_rows.lock(transaction)
        if event.type == EventType.CALL_COMPLETED:
            await self._call(event, transaction)
        elif event.type.startswith("booking."):
            await self._booking(event, transaction)
        elif event.type.startswith("lead."):
            await self._lead(event, transaction)

    async def _call(self, event: Event, transaction: TenantTransaction) -> None:
        report = call_report(event.payload, event.occurred_at)
        said = identity_of(report)
        contact = await self._whose(transaction, event, report.call_id, said, report.caller)
        await _store(transaction, contact, event, lambda box: with_call(box, _settled_on(report, event)))

    async def _booking(self, event: Event, transaction: TenantTransaction) -> None:
        payload = event.payload
        contact = await self._of_payload(transaction, event)
        booking_id = _text(payload, "booking_id", "id")
        if contact is None or not booking_id:
            return
        at_ms = int(event.occurred_at * 1_000)
        call_id = _text(payload, "call_id") or event.correlation_id
        service, starts_at = _text(payload, "service_id", "service"), _text(payload, "starts_at")
        what = f"{event.type.removeprefix('booking.')} {service} {starts_at}".strip()

        def change(box: ContextBox) -> ContextBox:
            box = touched(happened(box, HistoryEntry(HistoryKind.BOOKING, at_ms, ACTOR, what, booking_id)), at_ms)
            if event.type == EventType.BOOKING_CANCELLED:
                return settled(box, booking_id, CommitmentStatus.CANCELLED)
            if event.type == EventType.BOOKING_CONFIRMED:
                box = promised(box, [appointment(booking_id, service, starts_at, Source(call_id), at_ms)])
            if event.type in _BOOKED:
                to, reason = _BOOKED[event.type]
                box = advanced(box, to, actor=ACTOR, reason=reason, at_ms=at_ms, reference=booking_id)
            return box

        await _store(transaction, contact, event, change)

    async def _lead(self, event: Event, transaction: TenantTransaction) -> None:
        contact = await self._of_payload(transaction, event)
        if contact is None:
            return
        at_ms = int(event.occurred_at * 1_000)
        source = Source(_text(event.payload, "call_id") or event.correlation_id)
        found = qualification_of(event.payload, source, at_ms)

        def change(box: ContextBox) -> ContextBox:
            what = event.type.removeprefix("lead.")
            box = touched(happened(box, HistoryEntry(HistoryKind.LEAD, at_ms, ACTOR, what, event.id)), at_ms)
            if found is not None:
                box = qualified_box(box, found, actor=ACTOR, reference=event.id)
            if event.type == EventType.LEAD_QUALIFIED:
                return advanced(
                    box, BoxState.QUALIFIED, actor=ACTOR, reason="qualified", at_ms=at_ms, reference=event.id
                )
            if event.type == EventType.LEAD_CONVERTED:
                return advanced(box, BoxState.WON, actor=ACTOR, reason="converted", at_ms=at_ms, reference=event.id)
            return box

        await _store(transaction, contact, event, change)

    async def _of_payload(self, transaction: TenantTransaction, event: Event) -> Contact | None:
        """Whom an event names, by contact, call, number or address; None when it names nobody."""
        payload = event.payload
        named = _text(payload, "contact_id")
        if named:
            try:
                return await contact_rows.load(transaction, named)
            except ContactNotFoundError:
                return None  # erased since
        call_id = _text(payload, "call_id") or event.correlation_id
        names = tuple(filter(None, (_text(payload, "name"),)))
        phones = tuple(filter(None, (_text(payload, "phone"),)))
        emails = tuple(filter(None, (_text(payload, "email"),)))
        if not (call_id or phones or emails):
            return None
        return await self._whose(transaction, event, call_id, CallIdentity(names, phones, emails, ()), "")

    async def _whose(
        self, transaction: TenantTransaction, event: Event, call_id: str, said: CallIdentity, caller: str
    ) -> Contact:
        """The contact of a call, made when there is none, with everything that the call told of who it is."""
        now_ms = int(event.occurred_at * 1_000)
        country = self._country_of(event.tenant_id)
        given = points_found(said.phones, said.emails, country)
        line = points_found((caller,), (), country)
        owned = await contact_rows.owners(transaction, (*given, *line))
        found = next((owned[point] for point in given if point in owned), "")
        if not found:
            found = await _owner_of_line(transaction, line, owned, said.names, given)
        linked = await contact_rows.contact_of_call(transaction, call_id)
        if linked and found and linked != found and not (await contact_rows.load(transaction, linked)).points:
            # Nobody knew who that was until now: what the call told so far was theirs.
            writing = Writing(ACTOR, "merge", now_ms, call_id, event.id)
            await merging.merge(transaction, found, linked, writing)
            linked = found
        contact = await _contact(transaction, linked or found, now_ms)
        # A line that belongs to somebody else stays theirs: an office has one number and many people.
        points = (*given, *(point for point in line if owned.get(point, contact.id) == contact.id))
        contact = await contact_rows.enrich(
            transaction, contact, points, names=said.names, languages=said.languages, now_ms=now_ms
        )
        if call_id:
            await contact_rows.link_call(transaction, call_id, contact.id, now_ms)
        return await _with_doubles(transaction, contact, given, owned, event)


async def _owner_of_line(
    transaction: TenantTransaction,
    line: tuple[ContactPoint, ...],
    owned: Mapping[ContactPoint, str],
    names: tuple[str, ...],
    given: tuple[ContactPoint, ...],
) -> str:
    """Who calls from this number, unless they say that they are somebody else; "" when nobody is known."""
    owner = next((owned[point] for point in line if point in owned), "")
    if not owner or not names:
        return owner
    known = (await contact_rows.load(transaction, owner)).names
    if not known or any(_same_name(one, other) for one in names for other in known):
        return owner
    return "" if given else owner


async def _contact(transaction: TenantTransaction, contact_id: str, now_ms: int) -> Contact:
    if contact_id:
        return await contact_rows.load(transaction, contact_id)
    return await contact_rows.make(transaction, now_ms=now_ms)


async def _with_doubles(
    transaction: TenantTransaction,
    contact: Contact,
    given: tuple[ContactPoint, ...],
    owned: Mapping[ContactPoint, str],
    event: Event,
) -> Contact:
    """Note in the box that what they gave belongs to another contact as well: a person decides whether to merge."""
    at_ms = int(event.occurred_at * 1_000)
    for other in dict.fromkeys(owned[point] for point in given if point in owned):
        if other != contact.id:
            what = "gave a number or an address of another contact"
            entry = HistoryEntry(HistoryKind.NOTE, at_ms, ACTOR, what, other)
            await _store(transaction, contact, event, lambda box, entry=entry: happened(box, entry))
    return contact


async def _store(transaction: TenantTransaction, contact: Contact, event: Event, change: Change) -> None:
    before = await box_rows.load(transaction, contact)
    writing = Writing(ACTOR, event.type, int(event.occurred_at * 1_000), event.correlation_id, event.id)
    await box_rows.save(transaction, before, change(before), writing)


def _settled_on(report: CallReport, event: Event) -> CallReport:
    """The report, with the end that the event has when the payload names none."""
    return report if report.ended_at else msgspec.structs.replace(report, ended_at=event.occurred_at)


def _same_name(one: str, other: str) -> bool:
    """Whether one may be the short form of the other: "Marie" and "Marie Curie"."""
    words, others = set(one.casefold().split()), set(other.casefold().split())
    return words <= others or others <= words


def _text(payload: Mapping[str, Any], *names: str) -> str:
    return next((text for name in names if (text := plain_text(payload.get(name)))), "")
