"""What a finished call tells of a person: plain rules over what tools did and what was said, no model.

The same call always gives the same facts, promises and open slots, each with the turn it rests on. Tools come first:
what they took was read back to the caller; what was merely said counts for less. Called by the subscriber.
"""

import re
from collections.abc import Iterator

import msgspec

from context.contacts.box import (
    NO_TURN,
    Attribution,
    Commitment,
    CommitmentKind,
    CommitmentStatus,
    ContextBox,
    HistoryEntry,
    HistoryKind,
    Intent,
    KeyFact,
    OpenSlot,
    Sentiment,
    Source,
    Turn,
    key_fact,
    stable_id,
)
from context.contacts.call_report import CALLER, CallReport, UsedTool, plain_text
from context.contacts.changes import (
    advanced,
    answered,
    asked,
    attributed,
    but,
    felt,
    happened,
    learned,
    promised,
    said,
    settled,
    touched,
)
from context.contacts.phrases import promise_in, statements_in
from context.contacts.qualification_report import qualification_of, qualified_box
from context.contacts.states import BoxState

ACTOR = "context.contacts"
"""Who changes a box when a call or an event does."""

CALLBACK_REFERENCE = "callback"
TOOL_CONFIDENCE = 0.9
SAID_TO_TOOL_CONFIDENCE = 0.8
"""Of what a model took out of the conversation for a tool that nobody reads back."""

TEXT_LIMIT_CHARS = 300

INTENTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("complaint", ("handle_complaint",)),
    ("cancel", ("cancel_booking",)),
    ("change", ("change_booking",)),
    ("booking", ("create_booking", "get_available_slots")),
    ("payment", ("send_payment_details",)),
    ("support", ("check_order_status",)),
    ("callback", ("schedule_callback",)),
    ("human", ("transfer_call",)),
    ("purchase", ("qualify_lead", "check_product_stock", "browse_catalog", "get_item_details", "get_packages")),
    ("information", ("search_knowledge_base", "get_services", "get_menu")),
)
"""Intent -> tools that show it, the most telling first."""

INTENT_OF_OUTCOME = {"booked": "booking", "callback": "callback", "transferred": "human", "completed": "information"}

BOOKING_SLOTS = (("service", "which service they want"), ("slot", "when they can come"))
ASKED_BY_TOOL = {"service": ("service", "service_id", "service_name"), "slot": ("slot",)}

_SENTENCE = re.compile(r"[^.!?؟…]+[.!?؟…]*")


class CallIdentity(msgspec.Struct, frozen=True):
    """Who a call was from, by what was given in it: the surest first. The number that it came from is
    `CallReport.caller`."""

    names: tuple[str, ...]
    phones: tuple[str, ...]
    emails: tuple[str, ...]
    languages: tuple[str, ...]


def identity_of(report: CallReport) -> CallIdentity:
    """Who the call says it was from."""
    tools = report.worked("create_booking", "change_booking", "schedule_callback")
    slots = report.bookings
    spoken = [line.language for line in report.transcript if line.role == CALLER and line.language]
    return CallIdentity(
        names=_unique([*(slot.name for slot in reversed(slots)), *(tool.text("name") for tool in reversed(tools))]),
        phones=_unique([*(slot.phone for slot in slots), *(tool.text("phone") for tool in tools)]),
        emails=_unique([*(slot.email for slot in slots), *(tool.text("email") for tool in tools)]),
        languages=_unique(spoken or [report.language]),
    )


def with_call(box: ContextBox, report: CallReport) -> ContextBox:
    """The box after this call; told twice, it is the box after it."""
    call = HistoryEntry(HistoryKind.CALL, report.ended_ms, ACTOR, _what(report), report.call_id)
    known = any((entry.kind, entry.reference) == (HistoryKind.CALL, report.call_id) for entry in box.history)
    spoke = any(line.role == CALLER and line.text.strip() for line in report.transcript)
    if not known:
        if report.direction == "outbound" and spoke:
            box = settled(box, CALLBACK_REFERENCE, CommitmentStatus.KEPT)
        # Not when it is told again: some of its turns may be part of the summary by now.
        box = said(happened(box, call), _turns(report))
    intent = _intent(report)
    if intent.name and intent.at_ms >= box.intent.at_ms:
        box = but(box, intent=intent)
    box = promised(learned(box, tuple(_facts(report))), tuple(_commitments(report)))
    for tool in report.worked("cancel_booking", "change_booking"):
        if tool.text("booking_id") != tool.told("booking_id") or tool.name == "cancel_booking":
            box = settled(box, tool.text("booking_id"), CommitmentStatus.CANCELLED)
    if report.sentiment is not None:
        value = max(-1.0, min(1.0, report.sentiment))
        box = felt(box, Sentiment(value, Source(report.call_id), report.ended_ms))
    if report.attribution:
        box = attributed(box, _attribution(report))
    box = _with_slots(box, report)
    found = qualification_of(report.qualification or {}, Source(report.call_id), report.ended_ms)
    box = qualified_box(box, found, actor=ACTOR, reference=report.call_id) if found else box
    return _moved(touched(box, report.ended_ms), report, spoke=spoke)


def _moved(box: ContextBox, report: CallReport, *, spoke: bool) -> ContextBox:
    """As far as the call shows that they have come."""
    if report.bookings or report.outcome == "booked":
        to, reason = BoxState.BOOKED, "an appointment was made"
    elif spoke:
        to, reason = BoxState.ENGAGED, "they spoke with us"
    else:
        return box
    return advanced(box, to, actor=ACTOR, reason=reason, at_ms=report.ended_ms, reference=report.call_id)


def _what(report: CallReport) -> str:
    parts = [_intent(report).name, report.outcome, f"{report.duration_s:.0f} s", report.language]
    return ", ".join(part for part in parts if part)


def _turns(report: CallReport) -> list[Turn]:
    return [
        Turn(line.role, line.text, Source(report.call_id, at), report.at_ms(line.started_ms), line.language)
        for at, line in enumerate(report.transcript)
        if line.text.strip()
    ]


def _intent(report: CallReport) -> Intent:
    for name, tools in INTENTS:
        used = report.worked(*tools)
        if used:
            source = Source(report.call_id, report.turn_before(used[-1].at_ms))
            return Intent(name, _service(used[-1]), source, report.ended_ms)
    return Intent(INTENT_OF_OUTCOME.get(report.outcome, ""), "", Source(report.call_id), report.ended_ms)


def _service(tool: UsedTool) -> str:
    asked_for = (tool.text(name) for name in ("service", "service_id", "service_name"))
    told = (tool.told(name) for name in ("service_id", "service"))
    return next((text for text in (*asked_for, *told) if text), "")[:TEXT_LIMIT_CHARS]


def _facts(report: CallReport) -> Iterator[KeyFact]:
    for tool in report.worked("create_booking", "get_available_slots", "change_booking"):
        if _service(tool):
            yield _fact_of_tool(report, tool, "service", _service(tool), TOOL_CONFIDENCE)
    for tool in report.worked("qualify_lead"):
        for name in ("need", "timeline", "budget", "authority", "industry", "company_size"):
            if tool.text(name) not in ("", "unknown"):
                yield _fact_of_tool(report, tool, name, tool.text(name), SAID_TO_TOOL_CONFIDENCE)
    for tool in report.worked("handle_complaint"):
        if tool.text("complaint_type"):
            yield _fact_of_tool(report, tool, "complaint", tool.text("complaint_type"), SAID_TO_TOOL_CONFIDENCE)
    for at, line in enumerate(report.transcript):
        if line.role == CALLER:
            for sentence in _SENTENCE.findall(line.text):
                for found in statements_in(sentence, line.language or report.language):
                    source, quote = Source(report.call_id, at), sentence.strip()[:TEXT_LIMIT_CHARS]
                    at_ms = report.at_ms(line.started_ms)
                    yield key_fact(found.type, found.value, source, found.confidence, at_ms, quote)


def _fact_of_tool(report: CallReport, tool: UsedTool, type_: str, value: str, confidence: float) -> KeyFact:
    turn = report.turn_before(tool.at_ms)
    quote = report.transcript[turn].text[:TEXT_LIMIT_CHARS] if turn != NO_TURN else ""
    source = Source(report.call_id, turn)
    return key_fact(type_, value[:TEXT_LIMIT_CHARS], source, confidence, report.at_ms(tool.at_ms), quote)


def _commitments(report: CallReport) -> Iterator[Commitment]:
    for slot in report.bookings:
        if slot.id:
            yield appointment(slot.id, slot.service_id, slot.starts_at, Source(report.call_id), report.at_ms())
    for tool in report.worked("create_booking", "change_booking"):
        booking_id, starts_at = tool.told("booking_id"), tool.told("starts_at") or tool.text("slot")
        if booking_id:
            source = Source(report.call_id, report.turn_before(tool.at_ms))
            yield appointment(booking_id, _service(tool), starts_at, source, report.at_ms(tool.at_ms))
    by_tool: set[tuple[str, CommitmentKind]] = set()
    for tool in report.worked("schedule_callback", "send_payment_details", "handle_complaint"):
        promise = _promise_of_tool(report, tool)
        by_tool.add((promise.who, promise.kind))
        yield promise
    for at, line in enumerate(report.transcript):
        for sentence in _SENTENCE.findall(line.text):
            found = promise_in(sentence.strip(), line.role, line.language or report.language)
            # A tool that did it says it better than the sentence that announced it.
            if found and (line.role, found.kind) not in by_tool:
                by_tool.add((line.role, found.kind))
                what = sentence.strip()[:TEXT_LIMIT_CHARS]
                source, at_ms = Source(report.call_id, at), report.at_ms(line.started_ms)
                yield _promise(line.role, found.kind, what, found.due, source, at_ms)


def appointment(booking_id: str, service: str, starts_at: str, source: Source, at_ms: int) -> Commitment:
    """The promise that an appointment is; the same booking is the same promise, wherever it is told."""
    return Commitment(
        id=stable_id("booking", booking_id),
        kind=CommitmentKind.APPOINTMENT,
        who="agent",
        what=f"appointment: {service}" if service else "appointment",
        source=source,
        at_ms=at_ms,
        due=starts_at,
        reference=booking_id,
    )


def _promise_of_tool(report: CallReport, tool: UsedTool) -> Commitment:
    source, at_ms = Source(report.call_id, report.turn_before(tool.at_ms)), report.at_ms(tool.at_ms)
    if tool.name == "send_payment_details":
        what = f"{tool.text('description')} {tool.text('amount')}".strip()
        return _promise(CALLER, CommitmentKind.PAYMENT, what or "payment", "", source, at_ms)
    if tool.name == "handle_complaint":
        what = tool.text("proposed_resolution") or "settle the complaint"
        return _promise("agent", CommitmentKind.OTHER, what, "", source, at_ms)
    next_action = tool.text("next_action")
    kind = CommitmentKind.INFORMATION if next_action.startswith("send_") else CommitmentKind.CALLBACK
    what = tool.text("notes") or next_action.replace("_", " ") or "call back"
    return _promise("agent", kind, what, tool.text("callback_time"), source, at_ms)


def _promise(who: str, kind: CommitmentKind, what: str, due: str, source: Source, at_ms: int) -> Commitment:
    reference = CALLBACK_REFERENCE if (who, kind) == ("agent", CommitmentKind.CALLBACK) else ""
    id_ = stable_id(source.call_id, who, kind)
    return Commitment(
        id_, kind, who, what[:TEXT_LIMIT_CHARS], source, at_ms, due[:TEXT_LIMIT_CHARS], reference=reference
    )


def _with_slots(box: ContextBox, report: CallReport) -> ContextBox:
    """What a booking that was begun and not made still needs."""
    used = report.worked("get_available_slots", "create_booking", "change_booking")
    given = {slot for slot, names in ASKED_BY_TOOL.items() if any(tool.text(name) for tool in used for name in names)}
    if report.bookings or report.worked("create_booking"):
        return answered(box, [name for name, _ in BOOKING_SLOTS])
    if _intent(report).name != "booking":
        return answered(box, given)
    source = Source(report.call_id)
    missing = [OpenSlot(name, why, source) for name, why in BOOKING_SLOTS if name not in given]
    return asked(answered(box, given), missing)


def _attribution(report: CallReport) -> Attribution:
    found = {name: plain_text(value)[:TEXT_LIMIT_CHARS] for name, value in (report.attribution or {}).items()}
    utm = {name.removeprefix("utm_"): value for name, value in found.items() if name.startswith("utm_") and value}
    return Attribution(utm, found.get("gclid", ""), found.get("fbclid", ""))


def _unique(values: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))
