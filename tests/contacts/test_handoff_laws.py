"""A handoff loses nothing and hides no change, whatever happened before it."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from context.contacts.box import Commitment, ContextBox, KeyFact, OpenSlot, Source, Turn, key_fact
from context.contacts.boxes import ContextBoxes
from context.contacts.changes import asked, learned, promised, said
from context.contacts.compaction import compacted
from context.contacts.extraction import appointment
from context.contacts.handoff import HandoffDamagedError, encoded, packed, verify
from context.contacts.store import ContactStore
from context.events.tables import events
from context.store.database import Store
from tests.contacts.someone import BOXES, COMMITMENTS, FACTS, NOW_MS, OPEN_SLOTS, PHONE, TENANT, TURNS

FEW = 25
"""Boxes are large: what one of them does not show, twenty-five do."""

STEPS = st.lists(st.one_of(FACTS, COMMITMENTS, OPEN_SLOTS, TURNS), max_size=25)


def package_of(box: ContextBox) -> bytes:
    return encoded(packed(box, from_agent="reception", to_agent="billing", reason="hot", at_ms=NOW_MS))


def lived(box: ContextBox, steps: list[KeyFact | Commitment | OpenSlot | Turn]) -> ContextBox:
    """The box after a life in which each of these was learned, promised, asked or said."""
    for step in steps:
        match step:
            case KeyFact():
                box = learned(box, [step])
            case Commitment():
                box = promised(box, [step])
            case OpenSlot():
                box = asked(box, [step])
            case Turn():
                box = compacted(said(box, [step]), turns_limit=5)
    return box


@settings(max_examples=FEW)
@given(BOXES, STEPS)
def test_the_package_holds_every_fact_commitment_and_open_slot(
    box: ContextBox, steps: list[KeyFact | Commitment | OpenSlot | Turn]
) -> None:
    package = verify(package_of(lived(box, steps)))
    facts = {(fact.type, fact.value.casefold()) for fact in package.facts}
    promises = {promise.id for promise in package.commitments}
    slots = {slot.name for slot in package.open_slots}
    for step in (*box.facts, *box.commitments, *box.open_slots, *steps):
        match step:
            case KeyFact():
                assert (step.type, step.value.casefold()) in facts
            case Commitment():
                assert step.id in promises
            case OpenSlot():
                assert step.name in slots
            case Turn():
                pass


@settings(max_examples=FEW)
@given(BOXES)
def test_what_is_received_is_what_was_handed_over(box: ContextBox) -> None:
    sent = packed(box, from_agent="a", to_agent="b", reason="r", at_ms=NOW_MS)
    assert verify(encoded(sent)) == sent


@settings(max_examples=FEW)
@given(BOXES, st.data())
def test_any_change_of_a_byte_is_found(box: ContextBox, data: st.DataObject) -> None:
    package = package_of(box)
    at = data.draw(st.integers(0, len(package) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != package[at]))
    with pytest.raises(HandoffDamagedError):
        verify(package[:at] + bytes([other]) + package[at + 1 :])


def test_each_single_bit_of_a_package_counts() -> None:
    box = ContextBox(
        tenant_id=TENANT,
        contact_id="contact-1",
        facts=(key_fact("budget", "500 €", Source("call-1", 2), 0.75, NOW_MS, "my budget is 500 €"),),
        commitments=(appointment("b1", "cleaning", "2026-11-24T10:00", Source("call-1", 3), NOW_MS),),
        open_slots=(OpenSlot("phone", "to be called back"),),
    )
    package = package_of(box)
    for at in range(len(package)):
        for bit in range(8):
            with pytest.raises(HandoffDamagedError):
                verify(package[:at] + bytes([package[at] ^ 1 << bit]) + package[at + 1 :])


@settings(max_examples=FEW)
@given(BOXES, st.data())
def test_a_byte_too_many_or_too_few_is_found(box: ContextBox, data: st.DataObject) -> None:
    package = package_of(box)
    at = data.draw(st.integers(0, len(package)))
    added = bytes([data.draw(st.integers(0, 255))])
    for changed in (package[:at] + added + package[at:], package[:at] + package[at + 1 :]):
        if changed != package:
            with pytest.raises(HandoffDamagedError):
                verify(changed)


@settings(max_examples=FEW)
@given(BOXES)
def test_json_that_only_means_the_same_is_not_the_package(box: ContextBox) -> None:
    package = package_of(box)
    with pytest.raises(HandoffDamagedError):
        verify(msgspec.json.format(package, indent=1))


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"format":2}', b"null", b'{"box":{"x":' + b"[" * 10**5])
def test_what_is_no_package_is_refused(data: bytes) -> None:
    with pytest.raises(HandoffDamagedError):
        verify(data)


async def test_a_handoff_is_written_into_the_box_and_told(
    store: Store, contacts: ContactStore, boxes: ContextBoxes
) -> None:
    marie = await contacts.find_or_make(TENANT, (contacts.phone(TENANT, PHONE),), names=("Marie Curie",))
    package = await boxes.handoff(
        TENANT, marie.id, from_agent="reception", to_agent="billing", reason="Marie asks for a quote", actor="user-1"
    )
    assert verify(encoded(package)) == package
    box = await boxes.get(TENANT, marie.id)
    assert box == package.box
    assert box.history[-1].what == "from reception to billing: Marie asks for a quote"
    async with store.tenant(TENANT).reading() as transaction:
        told = await transaction.row(events, events.c.type == "context.handoff")
    assert told is not None
    payload = msgspec.json.decode(told["payload"])
    assert (payload["checksum"], payload["version"], payload["to_agent"]) == (package.checksum, 1, "billing")
    assert "Marie" not in told["payload"]
