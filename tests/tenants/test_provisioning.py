"""`parley tenant new` and POST /v1/tenants make a tenant that answers about its hours and books at once."""

import datetime as dt
from zoneinfo import ZoneInfo

import msgspec
import pytest

from agents.archetypes.sectors import sector_words
from agents.archetypes.starter import COUNTRIES, NewTenant, StarterError, id_from, starter_config
from billing.plans import shipped_plans
from context.bookings.store import StoredBookingDesk
from context.events.tables import events
from context.security.keys import ApiKeys
from context.security.principal import Scope
from context.store.database import Store
from context.tenants.checks import findings
from context.tenants.config import LANGUAGES
from context.tenants.errors import NumberTakenError, TenantExistsError, TenantInvalidError, TenantSuspendedError
from context.tenants.lifecycle import Change, TenantState
from context.tenants.store import StoredTenants
from server.provisioning import TENANT_CHECKS, Provisioner
from tests.agents.phone_call import PhoneCall
from tests.context.clinic import clinic
from voice_core.responder import Cause, Outcome

FRIDAY = dt.datetime(2026, 11, 20, 8, 30, tzinfo=ZoneInfo("Europe/Paris"))
URL = "https://voice.example"
ASKED = NewTenant(
    name="Cabinet Lumière", sector="dentiste", number="01 86 95 01 50", origin="https://lumiere.example/a"
)


@pytest.fixture
def stored(store: Store) -> StoredTenants:
    return StoredTenants(store, lambda: FRIDAY, TENANT_CHECKS)


def provisioner(store: Store, stored: StoredTenants) -> Provisioner:
    return Provisioner(stored, ApiKeys(store, FRIDAY.timestamp), lambda: FRIDAY)


async def test_the_new_tenant_is_on_trial_with_persona_number_origin_and_event(
    store: Store, stored: StoredTenants
) -> None:
    made = await provisioner(store, stored).provision(ASKED, actor="test", base_url=URL)
    tenant = await stored.get("cabinet-lumiere")
    assert tenant
    assert tenant.state is TenantState.TRIAL
    assert tenant.config.trial_ends_at == FRIDAY.astimezone(dt.UTC) + dt.timedelta(days=14)
    assert (tenant.config.numbers, tenant.config.origins) == (("+33186950150",), ("https://lumiere.example",))
    assert tenant.config.persona.greeting["fr"].startswith("Bonjour, Cabinet Lumière, ici Camille")
    assert made.archetype == "DENTAL"
    async with store.tenant("cabinet-lumiere").reading() as transaction:
        assert [row["type"] for row in await transaction.rows(events)] == ["tenant.provisioned"]


async def test_its_keys_open_what_they_are_for_and_nothing_else(store: Store, stored: StoredTenants) -> None:
    made = await provisioner(store, stored).provision(ASKED, actor="test", base_url=URL)
    keys = ApiKeys(store, FRIDAY.timestamp)
    admin = await keys.authenticate(made.api_key, None)
    assert admin
    assert (admin.tenant_id, admin.may(Scope.TENANT_WRITE), admin.may(Scope.SERVER_ADMIN)) == (
        "cabinet-lumiere", True, False,
    )  # fmt: skip
    for origin in ("https://lumiere.example", URL):
        widget = await keys.authenticate(made.widget_key, origin)
        assert widget
        assert widget.scopes == {Scope.CALLS_PLACE}
    assert await keys.authenticate(made.widget_key, "https://evil.example") is None
    assert made.page == f"{URL}/#key={made.widget_key}"
    assert made.page in made.snippet


@pytest.mark.parametrize(
    ("language", "sector", "question", "answer", "booking", "service_id"),
    [
        ("fr", "dentiste", "À quelle heure fermez-vous le samedi ?", "13h",
         ["Je voudrais un détartrage mardi à dix heures", "Marie Curie", "06 12 34 56 78", "oui"], "cleaning"),
        ("en", "hairdresser", "What time do you close on Saturday?", "7 p.m.",
         ["I'd like a haircut on Tuesday at eleven", "Marie Curie", "06 12 34 56 78", "yes"], "haircut"),
        ("fr", "restaurant", "À quelle heure ouvrez-vous mardi ?", "midi",
         ["Je voudrais réserver une table mardi à dix-neuf heures", "Marie Curie", "06 12 34 56 78", "oui"], "table"),
        ("es", "otro", "What are your opening hours on Monday?", "9 a.m.",
         ["I'd like an appointment on Tuesday at nine", "Marie Curie", "06 12 34 56 78", "yes"], "appointment"),
    ],
)  # fmt: skip
async def test_a_tenant_just_made_answers_its_hours_and_books(
    store: Store, stored: StoredTenants, language: str, sector: str, question: str, answer: str,
    booking: list[str], service_id: str,
) -> None:  # fmt: skip
    asked = NewTenant(name="Maison Curie", sector=sector, language=language, id="maison")
    await provisioner(store, stored).provision(asked, actor="test", base_url=URL)
    found = await stored.get("maison")
    assert found
    tenant = found.config
    desk = StoredBookingDesk(store, tenant, lambda: FRIDAY)
    call = PhoneCall(language, tenant=tenant, desk=desk, now=FRIDAY)
    assert "Maison Curie" in (await call.cause(Cause.GREETING)).text
    spoken = "en" if language == "es" else language
    assert answer in (await call.say(question, language=spoken)).text
    replies = [await call.say(turn, language=spoken) for turn in booking]
    assert call.responder.outcome() is Outcome.BOOKED, replies[-1].text
    [sold] = await desk.of_call("call-1")
    assert (sold.service_id, sold.name, sold.phone) == (service_id, "Marie Curie", "+33612345678")


async def test_an_agent_that_was_not_told_the_address_does_not_invent_one(store: Store, stored: StoredTenants) -> None:
    await provisioner(store, stored).provision(
        NewTenant(name="Maison Curie", sector="autre", language="en", id="maison"), actor="test", base_url=URL
    )
    found = await stored.get("maison")
    assert found
    for question in ("What is your address?", "What is your phone number?"):
        reply = await PhoneCall("en", tenant=found.config, now=FRIDAY).say(question)
        assert "message" in reply.text


async def test_a_tenant_that_nobody_could_answer_for_is_refused(stored: StoredTenants) -> None:
    alone = clinic(languages=("ar",), default_language="ar", address={"ar": "الرباط"}, services=(), facts=())
    alone = msgspec.structs.replace(
        alone, persona=msgspec.structs.replace(alone.persona, greeting={"ar": "مرحبا، كيف يمكنني مساعدتك؟"})
    )
    with pytest.raises(TenantInvalidError, match=r"\$\.languages: expected one of en, fr"):
        await stored.create(alone, actor="test")


async def test_every_trade_in_every_language_gives_a_valid_tenant() -> None:
    for words in sector_words().values():
        for language in LANGUAGES:
            config = starter_config(NewTenant(name="X", sector=words[0], language=language), trial_ends_at=FRIDAY)
            assert [*findings(config), *shipped_plans().findings(config)] == []
            assert config.default_language == language


def test_every_country_that_is_known_gives_a_valid_tenant() -> None:
    for country in COUNTRIES:
        config = starter_config(NewTenant(name="X", sector="other", country=country), trial_ends_at=FRIDAY)
        assert list(findings(config)) == [], country


async def test_the_same_command_again_changes_nothing_and_shows_no_key(store: Store, stored: StoredTenants) -> None:
    asked = NewTenant(name="Cabinet Lumière", sector="dentiste", id="lumiere")
    first = await provisioner(store, stored).provision(asked, actor="test", base_url=URL)
    again = await provisioner(store, stored).provision(asked, actor="test", base_url=URL)
    assert (again.tenant_id, again.api_key, again.widget_key) == (first.tenant_id, "", "")
    assert len(await ApiKeys(store).list("lumiere")) == 2
    found = await stored.get("lumiere")
    assert found
    assert found.version == 1


async def test_a_command_that_was_killed_before_the_keys_is_finished_by_the_next(
    store: Store, stored: StoredTenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = NewTenant(name="Cabinet Lumière", sector="dentiste", id="lumiere")

    async def killed(*_: object, **__: object) -> None:
        raise ConnectionError("killed here")

    with monkeypatch.context() as patched:
        patched.setattr(ApiKeys, "create", killed)
        with pytest.raises(ConnectionError):
            await provisioner(store, stored).provision(asked, actor="test", base_url=URL)
    made = await provisioner(store, stored).provision(asked, actor="test", base_url=URL)
    assert made.api_key.startswith("pk_")
    assert made.widget_key.startswith("pk_")


async def test_an_id_or_number_that_is_taken_is_refused(store: Store, stored: StoredTenants) -> None:
    await provisioner(store, stored).provision(ASKED, actor="test", base_url=URL)
    with pytest.raises(TenantExistsError):
        await provisioner(store, stored).provision(ASKED, actor="test", base_url=URL)
    with pytest.raises(NumberTakenError):
        await provisioner(store, stored).provision(
            NewTenant(name="Other", sector="other", number="+33186950150"), actor="test", base_url=URL
        )
    by_file = Provisioner(
        stored, ApiKeys(store), lambda: FRIDAY, files=[clinic(id="of-file", numbers=("+33186950199",))]
    )
    with pytest.raises(TenantExistsError, match="file"):
        await by_file.provision(NewTenant(name="Of file", sector="other"), actor="test", base_url=URL)
    with pytest.raises(NumberTakenError, match="of-file"):
        await by_file.provision(
            NewTenant(name="Third", sector="other", number="+33186950199"), actor="test", base_url=URL
        )


async def test_a_suspended_tenant_gets_no_keys(store: Store, stored: StoredTenants) -> None:
    asked = NewTenant(name="Cabinet Lumière", sector="dentiste", id="lumiere")
    await provisioner(store, stored).provision(asked, actor="test", base_url=URL)
    await stored.change("lumiere", Change.SUSPEND, actor="test")
    with pytest.raises(TenantSuspendedError):
        await provisioner(store, stored).provision(asked, actor="test", base_url=URL)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (NewTenant(name="X", sector="dentits"), "did you mean dentist"),
        (NewTenant(name="X", sector="wizard"), '"other" always works'),
        (NewTenant(name="X", sector="other", language="de"), "en, fr, es, ar, ary"),
        (NewTenant(name="X", sector="other", country="JP"), "timezone"),
        (NewTenant(name="X", sector="other", country="JP", timezone="Asia/Tokyo"), "currency"),
        (NewTenant(name="!?", sector="other"), "give one of a-z"),
        (NewTenant(name="X", sector="other", number="reception"), "+33142000000"),
        (NewTenant(name="X", sector="other", origin="shop"), "https://shop.example"),
        (NewTenant(name="X", sector="other", plan="gold"), "starter, pro"),
    ],
)
async def test_what_cannot_be_made_says_what_would_do(
    store: Store, stored: StoredTenants, asked: NewTenant, said: str
) -> None:
    with pytest.raises(StarterError) as refused:
        await provisioner(store, stored).provision(asked, actor="test", base_url=URL)
    assert said in str(refused.value)
    assert await stored.page() == []


async def test_a_wrong_id_is_refused_with_its_path(store: Store, stored: StoredTenants) -> None:
    with pytest.raises(TenantInvalidError, match=r"\$\.id"):
        await provisioner(store, stored).provision(
            NewTenant(name="X", sector="other", id="Not An Id"), actor="test", base_url=URL
        )


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("Café de l'Été", "cafe-de-l-ete"),
        ("Œuf & Cie", "oeuf-cie"),
        ("مخبزة 24", "24"),
        ("!", ""),
        ("a" * 90, "a" * 63),
    ],
)
def test_an_id_is_made_of_the_letters_of_the_name(name: str, made: str) -> None:
    assert id_from(name) == made
