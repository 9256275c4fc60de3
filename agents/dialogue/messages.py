"""Taking a message, and passing the caller to a human.

Both are what the agent offers when it cannot help itself. Called by `agents.dialogue.policy`.
"""

from agents.dialogue.setting import Setting
from agents.dialogue.state import Asking, DialogueState, Draft, Note, Plan, Task
from agents.understanding.phones import national_digits
from agents.understanding.understand import Reading


class MessageFlow:
    """Plans the replies of the message task, and transfers."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def begin(self, state: DialogueState, *before: str, message: str = "") -> Plan:
        """Start a message; `message` when the caller's own words are it already."""
        draft = Draft(name=state.draft.name, phone=state.draft.phone, email=state.draft.email, message=message)
        return self._step(state.but(task=Task.MESSAGE, draft=draft, offered=()), *before)

    def go_on(self, state: DialogueState, reading: Reading) -> Plan:
        """Fill the message from a turn."""
        draft = state.draft
        if state.asking is Asking.MESSAGE:
            draft = draft.but(message=reading.text.strip())
        if reading.name:
            draft = draft.but(name=reading.name)
        if reading.phone is not None and reading.phone.valid:
            draft = draft.but(phone=reading.phone.e164, digits="")
        elif reading.phone is not None:
            wanted = national_digits(self._setting.tenant.country)
            together = draft.digits + reading.phone.digits
            draft = draft.but(digits=together if wanted is None or len(together) < wanted else "")
        return self._step(state.but(draft=draft))

    def noted(self, state: DialogueState) -> Plan:
        """The message is in the record."""
        text = self._setting.say(state, "message_noted")
        draft = Draft(name=state.draft.name, phone=state.draft.phone, email=state.draft.email)
        state = state.but(
            task=Task.NONE, draft=draft, noted=True, asking=Asking.ANYTHING_ELSE, question="", result=text
        )
        return Plan(state=state, says=(text,))

    def transfer(self, state: DialogueState, reason: str) -> Plan:
        """Pass the caller on, or take a message when there is nobody to pass them to."""
        setting = self._setting
        if not setting.tenant.transfer_number:
            return self.begin(state, setting.say(state, "transfer_unavailable"))
        state = state.but(transferred=True, asking=Asking.NOTHING, question="")
        return Plan(state=state, says=(setting.say(state, "transferring"),), transfer=reason)

    def offer_help(self, state: DialogueState, key: str) -> Plan:
        """Say `key`, a phrase that offers a message or a human."""
        setting = self._setting
        text = setting.say(state, setting.help_key(key))
        return Plan(state=state.but(asking=Asking.MESSAGE_OR_HUMAN, question=self._choice(state, text)), says=(text,))

    def _choice(self, state: DialogueState, text: str) -> str:
        return self._setting.say(state, "message_or_human") if self._setting.tenant.transfer_number else text

    def _step(self, state: DialogueState, *before: str) -> Plan:
        setting, draft = self._setting, state.draft
        if not draft.message:
            return self._ask(state, Asking.MESSAGE, "ask_message", before)
        if not draft.name:
            return self._ask(state, Asking.NAME, "ask_name", before)
        if not draft.phone:
            if draft.digits:
                question = setting.say(state, "phone_rest", digits=setting.forms(state).digits(draft.digits))
                return Plan(state=state.but(asking=Asking.PHONE, question=question), says=(*before, question))
            return self._ask(state, Asking.PHONE, "ask_phone", before)
        action = Note(draft.name, draft.phone, draft.message)
        return Plan(state=state.but(asking=Asking.NOTHING, question=""), says=before, action=action)

    def _ask(self, state: DialogueState, asking: Asking, key: str, before: tuple[str, ...]) -> Plan:
        question = self._setting.say(state, key)
        return Plan(state=state.but(asking=asking, question=question), says=(*before, question))
