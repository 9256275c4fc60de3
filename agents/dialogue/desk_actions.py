"""Carrying out what a confirmed reply decided, and telling truly what came of it.

Every failure of the desk becomes a `Done` that is not ok: the caller hears that it did not work, never
that it did. Called by `agents.dialogue.responder`, once the turn is confirmed.
"""

from typing import Any

import structlog

from agents.dialogue.setting import Setting
from agents.dialogue.state import Action, Amend, Book, Cancel, Done, Note
from context.bookings.desk import Booking, SlotTaken
from voice_core.responder import ReplyTool

_log = structlog.get_logger(__name__)


async def perform(setting: Setting, action: Action) -> Done:
    """Run the action on the tenant's desk."""
    name, arguments = _described(action)
    try:
        booking = await _run(setting, action)
    except SlotTaken:
        return Done(ReplyTool(name, arguments, {"error": "slot_taken"}, ok=False), taken=True)
    except Exception as error:
        # Whatever the desk raises, the caller must hear that nothing was booked and the call must go on.
        _log.error("booking_action_failed", tool=name, error=type(error).__name__, call_id=setting.call_id)
        return Done(ReplyTool(name, arguments, {"error": type(error).__name__}, ok=False))
    if booking is None:
        return Done(ReplyTool(name, arguments, {"noted": True}))
    result = {"booking_id": booking.id, "service": booking.service_id, "starts_at": booking.starts_at.isoformat()}
    return Done(ReplyTool(name, arguments, result), booking)


async def _run(setting: Setting, action: Action) -> Booking | None:
    desk = setting.desk
    match action:
        case Book():
            return await _book(setting, action.service_id, action)
        case Cancel():
            await desk.cancel(action.booking.id)
            return action.booking
        case Amend() if (action.name, action.phone) == (action.booking.name, action.booking.phone):
            return await desk.move(action.booking.id, action.start)
        case Amend():
            return await _replace(setting, action)
        case Note():
            return None


async def _replace(setting: Setting, action: Amend) -> Booking:
    """Sell the slot anew under the right name; the old appointment comes back when that fails."""
    old = action.booking
    await setting.desk.cancel(old.id)
    try:
        return await _book(setting, old.service_id, action)
    except SlotTaken:
        if action.start == old.starts_at:
            raise
        await _book(setting, old.service_id, Amend(old, old.starts_at, old.name, old.phone))
        raise


async def _book(setting: Setting, service_id: str, wish: Book | Amend) -> Booking:
    email = wish.email if isinstance(wish, Book) else wish.booking.email
    return await setting.desk.book(
        call_id=setting.call_id,
        service_id=service_id,
        starts_at=wish.start,
        name=wish.name,
        phone=wish.phone,
        email=email,
    )


def _described(action: Action) -> tuple[str, dict[str, Any]]:
    """Name and arguments of the tool, as the record keeps them."""
    match action:
        case Book():
            arguments = {"service": action.service_id, "slot": action.start.isoformat(), "name": action.name}
            return "create_booking", arguments | {"phone": action.phone, "email": action.email}
        case Amend():
            arguments = {"booking_id": action.booking.id, "slot": action.start.isoformat(), "name": action.name}
            return "change_booking", arguments | {"phone": action.phone}
        case Cancel():
            return "cancel_booking", {"booking_id": action.booking.id}
        case Note():
            arguments = {"next_action": "call_back", "notes": action.message, "name": action.name}
            return "schedule_callback", arguments | {"phone": action.phone}
