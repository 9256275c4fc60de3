"""Contacts: one person is one contact, whoever asks first, and nobody sees another tenant's."""

import asyncio

import msgspec
import pytest

from context.contacts.contact import (
    Consent,
    ConsentPurpose,
    ConsentState,
    ContactConflictError,
    ContactNotFoundError,
    joined_consents,
    joined_names,
)
from context.contacts.points import PointKind, email_point, external_point
from context.contacts.store import ContactStore, changed_points
from tests.contacts.conftest import HandClock
from tests.contacts.someone import OTHER_TENANT, PHONE, SPOKEN_PHONE, TENANT


async def test_a_number_finds_the_same_person_again_however_it_is_written(contacts: ContactStore) -> None:
    marie = await contacts.find_or_make(TENANT, (contacts.phone(TENANT, SPOKEN_PHONE),), names=("Marie Curie",))
    again = await contacts.find_or_make(TENANT, (contacts.phone(TENANT, PHONE), email_point("Marie@Example.com")))
    assert again.id == marie.id
    assert (again.name, again.phones, again.emails) == ("Marie Curie", (PHONE,), ("marie@example.com",))
    by_address = await contacts.by_point(TENANT, email_point("marie@example.com"))
    assert by_address is not None
    assert by_address.id == marie.id


async def test_two_calls_of_a_stranger_that_end_together_make_one_contact(contacts: ContactStore) -> None:
    point = contacts.phone(TENANT, PHONE)
    made = await asyncio.gather(*(contacts.find_or_make(TENANT, (point,), names=(f"Name {n}",)) for n in range(8)))
    assert len({contact.id for contact in made}) == 1
    assert len(await contacts.page(TENANT)) == 1
    assert set((await contacts.get(TENANT, made[0].id)).names) == {f"Name {n}" for n in range(8)}


async def test_a_point_of_somebody_else_stays_theirs(contacts: ContactStore) -> None:
    marie = await contacts.find_or_make(TENANT, (contacts.phone(TENANT, PHONE),))
    pierre = await contacts.find_or_make(TENANT, (external_point("crm-7"),))
    both = await contacts.find_or_make(TENANT, (external_point("crm-7"), contacts.phone(TENANT, PHONE)))
    assert both.id == pierre.id
    assert both.phones == ()
    assert (await contacts.get(TENANT, marie.id)).phones == (PHONE,)


async def test_another_tenant_sees_nothing_of_it(contacts: ContactStore) -> None:
    marie = await contacts.find_or_make(TENANT, (contacts.phone(TENANT, PHONE),), names=("Marie",))
    await contacts.link_call(TENANT, "call-1", marie.id)
    assert await contacts.page(OTHER_TENANT) == []
    assert await contacts.page(OTHER_TENANT, query=PHONE) == []
    assert await contacts.by_point(OTHER_TENANT, contacts.phone(OTHER_TENANT, PHONE)) is None
    assert await contacts.of_call(OTHER_TENANT, "call-1") is None
    with pytest.raises(ContactNotFoundError):
        await contacts.get(OTHER_TENANT, marie.id)
    hers = await contacts.find_or_make(OTHER_TENANT, (contacts.phone(OTHER_TENANT, PHONE),))
    assert hers.id != marie.id


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Pierre", "MARIE Curie"]),
        ("marie", ["MARIE Curie"]),
        ("  marie   CUR", ["MARIE Curie"]),
        (SPOKEN_PHONE, ["MARIE Curie"]),
        ("Marie@Example.com", ["MARIE Curie"]),
        ("crm-7", ["Pierre"]),
        ("%", []),
        ("Paul", []),
    ],
)
async def test_people_are_found_by_part_of_a_name_or_a_whole_point(
    contacts: ContactStore, clock: HandClock, query: str, found: list[str]
) -> None:
    marie = (contacts.phone(TENANT, PHONE), email_point("marie@example.com"))
    await contacts.find_or_make(TENANT, marie, names=("MARIE Curie",))
    clock.at_ms += 1
    await contacts.find_or_make(TENANT, (external_point("crm-7"),), names=("Pierre",))
    assert [contact.name for contact in await contacts.page(TENANT, query=query)] == found


async def test_pages_hold_everybody_once(contacts: ContactStore) -> None:
    made = {(await contacts.find_or_make(TENANT, (external_point(f"crm-{n}"),))).id for n in range(7)}
    seen: list[str] = []
    after = None
    while page := await contacts.page(TENANT, after=after, limit=3):
        seen += [contact.id for contact in page]
        after = (page[-1].created_ms, page[-1].id)
    assert sorted(seen) == sorted(made)


async def test_of_two_who_change_a_contact_the_second_is_told(contacts: ContactStore) -> None:
    marie = await contacts.find_or_make(TENANT, (contacts.phone(TENANT, PHONE),), names=("Marie",))

    def named(name: str):
        return lambda contact: msgspec.structs.replace(contact, names=(name,))

    changed = await contacts.change(TENANT, marie.id, named("Marie Curie"), actor="u", expected_version=marie.version)
    assert changed.version == marie.version + 1
    with pytest.raises(ContactConflictError, match="was read"):
        await contacts.change(TENANT, marie.id, named("Maria"), actor="u", expected_version=marie.version)
    assert (await contacts.get(TENANT, marie.id)).names == ("Marie Curie",)


async def test_a_number_of_somebody_else_cannot_be_taken(contacts: ContactStore) -> None:
    marie = await contacts.find_or_make(TENANT, (contacts.phone(TENANT, PHONE),))
    pierre = await contacts.find_or_make(TENANT, (external_point("crm-7"),))
    point = contacts.phone(TENANT, PHONE)
    with pytest.raises(ContactConflictError, match=marie.id):
        await contacts.change(
            TENANT, pierre.id, lambda contact: changed_points(contact, PointKind.PHONE, (point,)), actor="u"
        )
    assert (await contacts.get(TENANT, pierre.id)).external_ids == ("crm-7",)


async def test_a_number_that_is_given_up_is_free_for_somebody_else(contacts: ContactStore) -> None:
    marie = await contacts.find_or_make(TENANT, (contacts.phone(TENANT, PHONE),))
    await contacts.change(TENANT, marie.id, lambda contact: changed_points(contact, PointKind.PHONE, ()), actor="u")
    pierre = await contacts.find_or_make(TENANT, (contacts.phone(TENANT, PHONE),))
    assert pierre.id != marie.id


async def test_the_subject_of_an_erasure_names_everything(contacts: ContactStore) -> None:
    points = (contacts.phone(TENANT, PHONE), email_point("marie@example.com"))
    marie = await contacts.find_or_make(TENANT, points)
    for call_id in ("call-1", "call-2"):
        await contacts.link_call(TENANT, call_id, marie.id)
    subject = await contacts.subject(TENANT, marie.id)
    assert (subject.contact_id, subject.phones, subject.emails) == (marie.id, {PHONE}, {"marie@example.com"})
    assert subject.call_ids == {"call-1", "call-2"}


def test_of_two_statements_the_later_counts_and_of_equal_ones_the_refusal() -> None:
    granted = Consent(ConsentPurpose.MARKETING, ConsentState.GRANTED, 5)
    refused = Consent(ConsentPurpose.MARKETING, ConsentState.REFUSED, 5)
    later = Consent(ConsentPurpose.MARKETING, ConsentState.GRANTED, 6)
    recording = Consent(ConsentPurpose.RECORDING, ConsentState.GRANTED, 1)
    assert joined_consents((granted,), (refused,)) == joined_consents((refused,), (granted,)) == (refused,)
    assert joined_consents((later, recording), (refused,)) == (recording, later)


def test_a_name_is_kept_once_and_without_what_no_database_takes() -> None:
    assert joined_names((" Marie  Curie\0",), ("MARIE CURIE", "M.\nCurie", "")) == ("Marie Curie", "M. Curie")
