"""What the caller is expected to say next, told to turn-taking and to the recogniser.

Called by `agents.dialogue.responder` at the end of every reply.
"""

from agents.dialogue.setting import Setting
from agents.dialogue.state import Asking, DialogueState
from agents.understanding.phones import national_digits
from voice_core.expectation import NOTHING_EXPECTED, ExpectedSlot, SlotKind
from voice_core.responder import ReplyExpect

_KINDS = {
    Asking.SERVICE: SlotKind.CHOICE,
    Asking.PRICE_SERVICE: SlotKind.CHOICE,
    Asking.DAY: SlotKind.DATE_TIME,
    Asking.TIME: SlotKind.TIME,
    Asking.NAME: SlotKind.NAME,
    Asking.PHONE: SlotKind.PHONE,
    Asking.CONFIRM: SlotKind.YES_NO,
    Asking.HUMAN: SlotKind.YES_NO,
}


def expectation(setting: Setting, state: DialogueState) -> ReplyExpect:
    """The slot that the open question of `state` waits for, and words that its answer may hold."""
    kind = _KINDS.get(state.asking)
    if kind is SlotKind.CHOICE:
        names = tuple(setting.service_name(state, service.id) for service in setting.tenant.services)
        return ReplyExpect(ExpectedSlot(kind, choices=names), bias=names)
    if kind is SlotKind.PHONE:
        digits = national_digits(setting.tenant.country)
        left = None if digits is None else digits - len(state.draft.digits)
        return ReplyExpect(ExpectedSlot(kind, digits=left))
    if kind in (SlotKind.DATE_TIME, SlotKind.TIME):
        return ReplyExpect(ExpectedSlot(kind), bias=setting.wording(state.language).forms.weekdays)
    return ReplyExpect(NOTHING_EXPECTED if kind is None else ExpectedSlot(kind))
