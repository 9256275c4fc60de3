"""Forty archetypes, complete in five languages, found by the words that people use for their trade."""

import re
from importlib import resources

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.archetypes.library import ArchetypeError, archetype, common_responses, every_archetype, read_archetype
from agents.archetypes.personas import resolve_persona
from agents.archetypes.sectors import archetype_of_sector, sector_words
from agents.dialogue.spoken_forms import SpokenForms
from agents.dialogue.wording import wording_for
from agents.understanding.language_pack import pack_for
from context.tenants.archetypes import ARCHETYPES, OPERATORS_OWN
from context.tenants.config import LANGUAGES, Channel, Persona
from tests.context.clinic import clinic

FEMININE_FRENCH = {
    "consultation", "cotation", "dégustation", "démonstration", "déclaration", "estimation", "formation", "inscription",
    "intervention", "location", "manucure", "première", "présentation", "prise", "réception", "révision", "réservation",
    "séance", "signature", "vaccination", "visite", "coloration", "prévoyance", "épilation",
}  # fmt: skip
"""First words of French services that are feminine."""


def texts_of(language: str) -> list[str]:
    """Every text that a caller may hear in this language."""
    found = [texts[language] for texts in common_responses().values()]
    for one in every_archetype():
        found += [one.greeting[language].format(business="Lumière", name=one.name)]
        found += [escalation.message[language] for escalation in one.escalations]
        found += [complaint.response[language] for complaint in one.complaint_responses()]
    return found


def test_every_archetype_is_there_and_says_what_it_is() -> None:
    found = every_archetype()
    assert {one.id for one in found} == ARCHETYPES
    assert len(found) == 40
    assert sum(len(one.escalations) for one in found) == 134
    assert sum(len(one.complaints) for one in found) == 172


def test_the_telephone_is_for_everybody_but_two() -> None:
    assert {one.id for one in every_archetype() if Channel.PHONE not in one.channels} == {"MECHANIC", "FUNERAL"}


def test_sensitive_trades_are_marked() -> None:
    assert {one.id for one in every_archetype() if one.sensitivity == "high"} == {
        "DENTAL", "HEALER", "COUNSELOR", "COLLECTOR", "ACCOUNTANT", "PHARMACIST", "DOCTOR", "NOTARY", "SPECIALIST",
        "FUNERAL",
    }  # fmt: skip


def test_marketing_frameworks_are_those_of_the_product() -> None:
    chosen: dict[str, set[str]] = {}
    for one in every_archetype():
        chosen.setdefault(one.framework, set()).add(one.id)
    assert chosen["BANT"] == {"AGENCY", "CONTRACTOR", "RECRUITER", "CONSULTANT"}
    assert chosen["PAS"] == {"COLLECTOR"}
    assert chosen["CIALDINI"] == {"HEALER", "DOCTOR", "SPECIALIST", "NOTARY"}
    assert chosen["AIDA"] == {"UNIVERSAL_ECOMMERCE", "RETAILER", "BAKERY", "GROCERY"}
    assert len(chosen["none"]) == 27


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_are_whole_short_and_without_anything_left_to_fill_in(language: str) -> None:
    for text in texts_of(language):
        assert text == text.strip()
        assert text[-1] in ".?؟!", text
        assert not re.search(r"[{}<>_|]|\bTODO\b|  ", text), text
        assert len(text.split()) <= 32, text
        assert text.count("?") + text.count("؟") <= 2, text


@pytest.mark.parametrize(
    ("language", "script"), [("ar", True), ("ary", True), ("en", False), ("fr", False), ("es", False)]
)
def test_each_language_is_written_in_its_own_script(language: str, script: bool) -> None:
    for text in texts_of(language):
        assert bool(re.search(r"[\u0600-\u06ff]", text)) is script, text


def test_languages_do_not_repeat_each_other() -> None:
    for one in every_archetype():
        for texts in (one.greeting, *(escalation.message for escalation in one.escalations)):
            assert len(set(texts.values())) == len(LANGUAGES), texts


def test_french_services_get_their_right_article() -> None:
    forms = SpokenForms(wording_for("fr"), pack_for("fr"), "FR", "EUR")
    for one in every_archetype():
        for service in one.starter.services:
            name = service.name["fr"]
            article = "une" if name.split()[0] in FEMININE_FRENCH else "un"
            assert forms.with_article(name) == f"{article} {name}", f"{one.id}: {forms.with_article(name)}"


def test_services_of_one_trade_are_told_apart_by_their_words() -> None:
    for one in every_archetype():
        for language in LANGUAGES:
            names = [service.name[language] for service in one.starter.services]
            assert len(set(names)) == len(names), (one.id, language)


@pytest.mark.parametrize(
    ("word", "archetype_id"),
    [
        ("dental", "DENTAL"), ("Dentiste", "DENTAL"), ("DENTISTA", "DENTAL"), ("médecin", "DOCTOR"),
        ("medecin", "DOCTOR"), ("medical", "DOCTOR"), ("spa", "HEALER"), ("avocat", "COUNSELOR"),
        ("notaire", "NOTARY"), ("comptable", "ACCOUNTANT"), ("consulting", "CONSULTANT"),
        ("real_estate", "REAL_ESTATE_AGENT"), ("immobilier", "REAL_ESTATE_AGENT"), ("syndic", "PROPERTY"),
        ("riad", "CONCIERGE"), ("hôtel", "CONCIERGE"), ("Café", "RESTAURATEUR"), ("e-commerce", "UNIVERSAL_ECOMMERCE"),
        ("ecommerce", "UNIVERSAL_ECOMMERCE"), ("boutique", "RETAILER"), ("coiffure", "HAIRDRESSER"),
        ("beauty", "STYLIST"), ("gym", "GYM"), ("nettoyage", "CLEANER"), ("hr", "RECRUITER"),
        ("assurance", "INSURER"), ("livraison", "DISPATCHER"), ("wedding", "PLANNER"), ("voyage", "TRAVEL_AGENT"),
        ("other", "UNIVERSAL_SME"), ("peluquería", "HAIRDRESSER"),
    ],
)  # fmt: skip
def test_a_trade_is_found_by_its_word(word: str, archetype_id: str) -> None:
    assert archetype_of_sector(word) == archetype_id


def test_every_archetype_but_the_operators_own_has_words() -> None:
    assert set(sector_words()) == ARCHETYPES - {OPERATORS_OWN}


@given(st.sampled_from([word for words in sector_words().values() for word in words]), st.data())
def test_case_and_separators_of_a_word_do_not_matter(word: str, data: st.DataObject) -> None:
    joined = data.draw(st.sampled_from(("-", "_", " ", " / "))).join(word.split())
    assert archetype_of_sector(data.draw(st.sampled_from((joined, joined.upper(), f" {joined} ")))) == (
        archetype_of_sector(word)
    )


@given(st.text())
def test_any_other_word_names_no_trade_or_a_known_one(word: str) -> None:
    assert archetype_of_sector(word) in {None, *ARCHETYPES}


def test_a_persona_goes_before_the_archetype_and_the_archetype_before_the_channel() -> None:
    own = Persona(id="clara", name="Clara", greeting={"en": "Hello"}, tone="dry")
    tenant = clinic(persona=own)
    phone = resolve_persona(tenant, Channel.PHONE)
    assert (phone.archetype, phone.tone, phone.sensitivity) == ("DENTAL", "dry", "high")
    assert phone.personality == archetype("DENTAL").personality
    assert phone.complaints[0].type == "wait_time"
    assert resolve_persona(tenant, Channel.WIDGET_ECOM).archetype == "UNIVERSAL_ECOMMERCE"
    assert resolve_persona(clinic(persona=own, sector="garage"), Channel.PHONE).archetype == "UNIVERSAL_SME"
    assert resolve_persona(clinic(persona=own, sector="garage"), Channel.WIDGET_B2C).archetype == "MECHANIC"
    shop = msgspec.structs.replace(own, id="shop", name="Lina", archetype="RETAILER", framework="none")
    resolved = resolve_persona(clinic(persona=own, personas={Channel.WIDGET_ECOM: shop}), Channel.WIDGET_ECOM)
    assert (resolved.name, resolved.archetype, resolved.framework) == ("Lina", "RETAILER", "none")


def test_a_tenant_adds_forbidden_behaviour_and_never_takes_any_away() -> None:
    own = Persona(id="c", name="C", greeting={"en": "Hi"}, forbidden=("speak of politics",))
    forbidden = resolve_persona(clinic(persona=own), Channel.PHONE).forbidden
    assert set(archetype("DENTAL").forbidden) < set(forbidden)
    assert forbidden[-1] == "speak of politics"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("id: GYM", "id: GYMS", "$.id"),
        ("framework: none", "framework: SPIN", "AIDA"),
        ("sensitivity: normal", "sensitivity: low", "$.sensitivity"),
        ("widget_b2c", "widget_b2x", "$.channels"),
        ("{business}", "{shop}", "$.greeting.en"),
        ("condition: injury_on_premises", "condition: Injury!", "$.escalations[0].condition"),
        ("type: locker_theft", "type: locker_fire", "complaints.yaml"),
        ("minutes: 60", "minutes: 0", "5 to 720"),
        ("tone:", "tune:", "tune"),
    ],
)
def test_a_fault_in_a_file_is_named_with_what_is_allowed(old: str, new: str, said: str) -> None:
    text = resources.files("agents.archetypes").joinpath("data", "gym.yaml").read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(ArchetypeError, match=re.escape(said)) as wrong:
        read_archetype("gym.yaml", text.replace(old, new, 1).encode())
    assert "gym.yaml" in str(wrong.value)


def test_an_unknown_name_is_no_archetype() -> None:
    with pytest.raises(LookupError, match="DENTAL"):
        archetype("WIZARD")
