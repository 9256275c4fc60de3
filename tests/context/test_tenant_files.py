"""Tenants' files: faults are named where they stand, and a bad file never replaces a good one."""

from pathlib import Path

import pytest

from context.errors import TenantFileError
from context.tenants.directory import TenantDirectory
from context.tenants.tenant_file import key_digest, load_tenant

GOOD = """\
id: clinic-a
name: Clinic A
sector: dental
languages: [en, fr]
default_language: en
timezone: Europe/Paris
country: FR
currency: EUR
phone: +33142000000
address: {en: 1 Park Street, fr: 1 rue du Parc}
hours:
  monday: &day
    - {opens: 9:00, closes: 12:00}
    - {opens: "14:00", closes: 18:30}
  tuesday: *day
services:
  - id: cleaning
    name: {en: a cleaning}
    words: {en: [cleaning, scale and polish]}
    minutes: 45
    price: 60
facts:
  - id: parking
    questions: {en: [where can I park]}
    answer: {en: Behind the clinic.}
persona:
  id: clara
  name: Clara
  archetype: DENTAL
  greeting: {en: Hello}
booking: {per_day: 8}
engines: {stt: [deepgram/nova-3, embedded]}
keys: []
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def written(folder: Path, text: str = GOOD, name: str = "clinic.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def with_keys(*keys: str, tenant_id: str = "clinic-a") -> str:
    digests = ", ".join(key_digest(key) for key in keys)
    return GOOD.replace("keys: []", f"keys: [{digests}]").replace("clinic-a", tenant_id)


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(TenantFileError) as caught:
        load_tenant(written(folder, text))
    return str(caught.value)


def test_a_good_file_is_the_tenant_it_describes(folder: Path) -> None:
    tenant = load_tenant(written(folder))
    assert [f"{o.opens:%H:%M}-{o.closes:%H:%M}" for o in tenant.hours["tuesday"]] == ["09:00-12:00", "14:00-18:30"]
    assert tenant.phone == "+33142000000"
    assert (tenant.booking.per_day, tenant.booking.slot_minutes) == (8, 60)
    assert tenant.engines.stt == ("deepgram/nova-3", "embedded")


def test_a_country_called_no_is_norway_and_not_false(folder: Path) -> None:
    assert load_tenant(written(folder, changed("country: FR", "country: NO"))).country == "NO"


def test_questions_keep_their_question_marks_without_quotes(folder: Path) -> None:
    text = changed("{en: [where can I park]}", "{en: [Where can I park?, By car? Or by bus?,  why?]}")
    (fact,) = load_tenant(written(folder, text)).facts
    assert fact.questions["en"] == ("Where can I park?", "By car? Or by bus?", "why?")


def test_a_local_phone_number_keeps_its_leading_zero(folder: Path) -> None:
    assert load_tenant(written(folder, changed("+33142000000", "0142000000"))).phone == "0142000000"


@pytest.mark.parametrize(
    ("old", "new", "place", "found", "allowed"),
    [
        ("9:00", "9h", "line 13, $.hours.monday[0].opens", "'9h'", "from 00:00 to 23:59"),
        ("9:00", "9", "line 13, $.hours.monday[0].opens", "9", "time"),
        ("9:00", "13:00", "line 13, $.hours.monday[0]", "13:00", "open before it closes"),
        ('"14:00"', "11:00", "line 14, $.hours.monday[1]", "11:00", "after the opening before it closes"),
        ("tuesday", "thuesday", "line 15, $.hours.thuesday", "09:00", "tuesday"),
        ("minutes: 45", "minutes: long", "line 20, $.services[0].minutes", "'long'", "int"),
        ("minutes: 45", "minutes: 0", "line 20, $.services[0].minutes", "0", "5 to 720"),
        ("minutes: 45", "minuts: 45", "line 20, $.services[0].minuts", "unknown field", "minutes, price"),
        ("price: 60", "price: -1", "line 21, $.services[0].price", "-1", "0 or more"),
        ("price: 60", "price: 60\n    price_to: 50", "line 22, $.services[0].price_to", "50", "a price below it"),
        ("en, fr]", "en, de]", "line 4, $.languages[1]", "'de'", "en, fr, es, ar, ary"),
        ("default_language: en", "default_language: es", "line 5, $.default_language", "'es'", "en, fr"),
        ("Europe/Paris", "Europe/Pari", "line 6, $.timezone", "'Europe/Pari'", "Europe/Paris"),
        ("country: FR", "country: France", "line 7, $.country", "'France'", "ISO 3166"),
        ("EUR", "EURO", "line 8, $.currency", "'EURO'", "ISO 4217"),
        ("+33142000000", "+3314", "line 9, $.phone", "'+3314'", "phone number"),
        ("+33142000000", "33142000000", "line 9, $.phone", "33142000000", "str"),
        ("keys: []", "transfer_number: reception", "line 33, $.transfer_number", "'reception'", "phone number"),
        ("keys: []", "email: clinic at example", "line 33, $.email", "'clinic at example'", "e-mail"),
        ("keys: []", "website: example.org", "line 33, $.website", "'example.org'", "https://"),
        ("{en: Hello}", "{en: 3}", "line 30, $.persona.greeting.en", "3", "str"),
        ("{en: Hello}", "{fr: Bonjour}", "line 30, $.persona.greeting", "Bonjour", "default language, en"),
        ("{en: Hello}", "{en: Hello, de: Hallo}", "line 30, $.persona.greeting.de", "'Hallo'", "en, fr, es"),
        ("{en: [where can I park]}", "{eng: [x]}", "line 24, $.facts[0].questions.eng", "['x']", "en, fr, es"),
        ("per_day: 8", "per_day: 0", "line 31, $.booking.per_day", "0", "1 to 1000"),
        ("per_day: 8", "slot_minutes: 0", "line 31, $.booking.slot_minutes", "0", "5 to 720"),
        ("deepgram/nova-3", "Deep Gram", "line 32, $.engines.stt[0]", "Deep Gram", "provider/model"),
        ("id: clinic-a", "id: Clinic A", "line 1, $.id", "'Clinic A'", "lower-case"),
        ("EUR", "EUR\ncountry: FR", "line 9", "'country'", "appears twice"),
        ("{en: Hello}", "{en: Hello, en: Hi}", "line 30", "'en'", "appears twice"),
        ("name: Clinic A\n", "", "line 1, $", "`name`", "required"),
        ("[en, fr]", "[en, fr", "line 5", "", "expected"),
        ("{en: [where can I park]}", "{en: [park: where?]}", "line 24, $.facts[0].questions.en[0]", "where?", "str"),
        ("stt: [deepgram/nova-3, embedded]", "tts: []", "line 32, $.engines.tts", "", "one engine at least"),
    ],
)
def test_a_fault_is_named_with_its_place_its_value_and_what_is_allowed(
    folder: Path, old: str, new: str, place: str, found: str, allowed: str
) -> None:
    said = complaint(folder, changed(old, new))
    assert str(folder / "clinic.yaml") in said
    assert place in said
    assert found in said
    assert allowed in said


def test_all_wrong_values_are_named_at_once(folder: Path) -> None:
    said = complaint(folder, changed("EUR", "EURO").replace("country: FR", "country: XX").replace("9:00", "19:00"))
    assert all(path in said for path in ("$.currency", "$.country", "$.hours.monday[0]", "$.hours.tuesday[0]"))


def test_two_services_or_facts_cannot_share_an_id(folder: Path) -> None:
    twice = changed("facts:\n", "  - {id: cleaning, name: {en: again}, words: {}}\nfacts:\n")
    assert "$.services[1].id" in complaint(folder, twice)


@pytest.mark.parametrize("keys", ["[sk-my-real-key]", "sk-my-real-key", "[[sk-my-real-key]]"])
def test_a_key_pasted_instead_of_its_digest_is_refused_and_not_repeated(folder: Path, keys: str) -> None:
    said = complaint(folder, changed("keys: []", f"keys: {keys}"))
    assert "$.keys" in said
    assert "sk-my-real-key" not in said


def test_a_key_in_an_engine_string_is_refused_and_not_repeated(folder: Path) -> None:
    said = complaint(folder, changed("deepgram/nova-3", '"deepgram/nova-3?api_key=sk-my-real-key"'))
    assert "$.engines.stt[0]" in said
    assert "sk-my-real-key" not in said


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff\xfe\x00",
        b"a: *b",
        b"a: &x [*x]",
        b"- " * 5000,
        b"a: !!python/x 1",
        b"a: !!int x",
        b"a: !!bool x",
        b"a: !!timestamp x",
    ],
)
def test_a_file_that_is_no_tenant_at_all_is_a_fault_and_not_a_crash(folder: Path, content: bytes) -> None:
    path = folder / "odd.yaml"
    path.write_bytes(content)
    with pytest.raises(TenantFileError, match=r"odd\.yaml is not usable"):
        load_tenant(path)


def test_a_missing_file_is_a_fault(folder: Path) -> None:
    with pytest.raises(TenantFileError, match="cannot be read"):
        load_tenant(folder / "nobody.yaml")


def test_a_key_opens_its_tenant_and_no_other(folder: Path) -> None:
    written(folder, with_keys("alpha", "beta"))
    written(folder, with_keys("gamma", tenant_id="clinic-b"), "other.yaml")
    directory = TenantDirectory(folder)
    assert directory.reload() == []
    found = {key: directory.by_key(key) for key in ("alpha", "beta", "gamma", "delta", "", key_digest("alpha"))}
    assert {key: tenant and tenant.id for key, tenant in found.items()} == {
        "alpha": "clinic-a",
        "beta": "clinic-a",
        "gamma": "clinic-b",
        "delta": None,
        "": None,
        key_digest("alpha"): None,
    }


def test_only_a_tenant_that_allows_it_answers_without_a_key_and_only_on_this_machine(folder: Path) -> None:
    written(folder)
    directory = TenantDirectory(folder)
    directory.reload()
    assert directory.without_key(loopback=True) is None
    written(folder, GOOD + "loopback_without_key: true\n")
    directory.reload()
    tenant = directory.without_key(loopback=True)
    assert tenant
    assert tenant.id == "clinic-a"
    assert directory.without_key(loopback=False) is None


def test_a_file_that_goes_bad_keeps_its_last_good_version_until_it_is_mended(folder: Path) -> None:
    written(folder)
    directory = TenantDirectory(folder)
    directory.reload()
    written(folder, changed("EUR", "EURO").replace("Clinic A", "Clinic B"))
    problems = directory.reload()
    assert "$.currency" in str(problems[0])
    assert [tenant.name for tenant in directory.tenants] == ["Clinic A"]
    assert len(directory.reload()) == 1
    written(folder, changed("Clinic A", "Clinic B"))
    assert directory.reload() == []
    assert [tenant.name for tenant in directory.tenants] == ["Clinic B"]


def test_a_bad_file_does_not_keep_the_others_from_answering(folder: Path) -> None:
    written(folder, "nonsense: [", "a-bad.yaml")
    written(folder)
    directory = TenantDirectory(folder)
    assert len(directory.reload()) == 1
    assert [tenant.id for tenant in directory.tenants] == ["clinic-a"]


def test_a_removed_file_takes_its_tenant_with_it(folder: Path) -> None:
    path = written(folder, with_keys("alpha"))
    directory = TenantDirectory(folder)
    directory.reload()
    path.unlink()
    assert directory.reload() == []
    assert directory.by_id("clinic-a") is None
    assert directory.by_key("alpha") is None


def test_the_operators_file_takes_the_place_of_the_built_in_one(folder: Path) -> None:
    builtin = written(folder, GOOD, "builtin.yml")
    own = folder / "tenants"
    own.mkdir()
    directory = TenantDirectory(own, [builtin])
    directory.reload()
    assert [tenant.name for tenant in directory.tenants] == ["Clinic A"]
    written(own, changed("Clinic A", "My clinic"))
    assert directory.reload() == []
    assert [tenant.name for tenant in directory.tenants] == ["My clinic"]


@pytest.mark.parametrize(
    ("second", "said"),
    [(with_keys("beta"), "clinic-a"), (with_keys("alpha", tenant_id="clinic-b"), "a key opens the tenant 'clinic-a'")],
    ids=["same id", "same key"],
)
def test_two_files_cannot_claim_the_same_id_or_key(folder: Path, second: str, said: str) -> None:
    written(folder, with_keys("alpha"), "a.yaml")
    written(folder, second, "b.yaml")
    directory = TenantDirectory(folder)
    problems = directory.reload()
    assert len(problems) == 1
    assert "b.yaml" in str(problems[0])
    assert said in str(problems[0])
    assert [tenant.id for tenant in directory.tenants] == ["clinic-a"]
