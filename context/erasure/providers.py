"""Every package's personal data, gathered: the one list that whoever exports, erases or forgets starts from.

A new package that keeps personal data is added here; a test finds tables that nobody here answers for.
"""

from collections.abc import Callable

from context.contacts.personal_data import BoxData, ContactData
from context.contacts.spoken_words import WordsInBoxes
from context.conversations.personal_data import ConversationPersonalData
from context.erasure.bookings import BookingData
from context.erasure.calls import CallData
from context.erasure.registry import PersonalData, PersonalDataRegistry
from context.events.personal_data import EventPersonalData
from context.idempotency.personal_data import IdempotencyPersonalData
from context.webhooks.personal_data import WebhookPersonalData


def said_in_calls() -> tuple[PersonalData, ...]:
    """Who holds what was said in calls and grows old with them: for `context.erasure.retention`."""
    return (CallData(), EventPersonalData(), WebhookPersonalData(), ConversationPersonalData(), WordsInBoxes())


def all_personal_data(now_s: Callable[[], float]) -> PersonalDataRegistry:
    """All of it, in the order of erasure. now_s: seconds since the epoch."""
    return PersonalDataRegistry(
        [*said_in_calls(), BookingData(now_s), IdempotencyPersonalData(), BoxData(), ContactData()]
    )
