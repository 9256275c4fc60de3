"""Who is answered, and in which language."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import agents.demo
from context.security.keys import ApiKeys, KeyKind
from context.security.principal import Scope
from context.store.database import Store
from context.tenants.directory import TenantDirectory
from context.tenants.tenant_file import key_digest
from server.call_desk import CallDesk, language_for
from server.callers import Callers
from telephony.calls import CallRefused
from telephony.peer import Peer
from telephony.voice_messages import StartMessage
from tests.server.fake_calls import ToneCall

HERE = Peer("127.0.0.1", local=True)
ELSEWHERE = Peer("203.0.113.4", local=False)
DEMO = Path(agents.demo.__file__ or "").parent / "clinique_du_parc.yaml"


@pytest.fixture
def tenants(tmp_path: Path) -> TenantDirectory:
    """The demo, and a copy of it that only a key opens."""
    text = DEMO.read_text(encoding="utf-8").replace("id: clinique_du_parc", "id: other_clinic", 1)
    text = text.replace("loopback_without_key: true", "loopback_without_key: false")
    (tmp_path / "other.yaml").write_text(f"{text}\nkeys: [{key_digest('open sesame')}]\n", encoding="utf-8")
    directory = TenantDirectory(tmp_path, [DEMO])
    assert directory.reload() == []
    return directory


@pytest.fixture
async def keys(tmp_path: Path) -> AsyncIterator[ApiKeys]:
    store = await Store.open(f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}")
    yield ApiKeys(store)
    await store.aclose()


@pytest.fixture
def callers(tenants: TenantDirectory, keys: ApiKeys) -> Callers:
    return Callers(tenants, keys)


async def test_without_a_key_the_demo_answers_this_machine_and_nobody_else(callers: Callers) -> None:
    assert (await callers.admit(None, HERE)).tenant.id == "clinique_du_parc"
    with pytest.raises(CallRefused) as refused:
        await callers.admit(None, ELSEWHERE)
    assert refused.value.code == "unauthorized"


@pytest.mark.parametrize("peer", [HERE, ELSEWHERE])
async def test_a_key_opens_its_tenant_from_anywhere_and_a_wrong_one_opens_not_even_the_demo(
    callers: Callers, peer: Peer
) -> None:
    assert (await callers.admit("open sesame", peer)).tenant.id == "other_clinic"
    with pytest.raises(CallRefused) as refused:
        await callers.admit("open barley", peer)
    assert refused.value.code == "unauthorized"


async def test_a_key_of_the_database_opens_its_tenant_if_it_may_place_calls(callers: Callers, keys: ApiKeys) -> None:
    calling = await keys.create("other_clinic", "site", {Scope.CALLS_PLACE})
    reading = await keys.create("other_clinic", "reports", {Scope.CALLS_READ})
    nobodys = await keys.create("no_such_clinic", "left over", {Scope.CALLS_PLACE})
    assert (await callers.admit(calling.key, ELSEWHERE)).tenant.id == "other_clinic"
    for key, why in ((reading.key, "calls:place"), (nobodys.key, "opens nothing")):
        with pytest.raises(CallRefused, match=why) as refused:
            await callers.admit(key, ELSEWHERE)
        assert refused.value.code == "unauthorized"


async def test_only_a_key_that_may_read_contacts_says_who_calls(callers: Callers, keys: ApiKeys) -> None:
    bridge = await keys.create("other_clinic", "bridge", {Scope.CALLS_PLACE, Scope.CONTACTS_READ})
    site = await keys.create("other_clinic", "site", {Scope.CALLS_PLACE})
    assert (await callers.admit(bridge.key, ELSEWHERE)).may_name_caller
    assert not (await callers.admit(site.key, ELSEWHERE)).may_name_caller
    assert not (await callers.admit("open sesame", HERE)).may_name_caller


async def test_a_widgets_key_opens_a_call_from_its_own_pages_only(callers: Callers, keys: ApiKeys) -> None:
    widget = await keys.create(
        "other_clinic", "site", {Scope.CALLS_PLACE}, kind=KeyKind.WIDGET, origins=["https://clinic.example"]
    )
    own, stolen = (Peer("203.0.113.4", local=False, origin=f"https://{host}.example") for host in ("clinic", "thief"))
    assert (await callers.admit(widget.key, own)).tenant.id == "other_clinic"
    for peer in (stolen, ELSEWHERE):
        with pytest.raises(CallRefused, match="opens nothing"):
            await callers.admit(widget.key, peer)


@pytest.mark.parametrize(("asked", "spoken"), [(None, "en"), ("fr", "fr"), ("fr-FR", "fr"), ("EN", "en")])
def test_the_language_is_the_asked_one_or_the_tenants_own(
    tenants: TenantDirectory, asked: str | None, spoken: str
) -> None:
    assert language_for(tenants.tenants[0], asked) == spoken


def test_a_language_that_the_tenant_does_not_speak_is_refused_with_those_it_does(tenants: TenantDirectory) -> None:
    with pytest.raises(CallRefused, match="en, fr") as refused:
        language_for(tenants.tenants[0], "de")
    assert refused.value.code == "unsupported_language"


async def test_a_desk_that_is_not_open_yet_asks_to_come_back() -> None:
    desk = CallDesk(new_call_id=lambda: "c1")
    leg = ToneCall.__new__(ToneCall)  # never touched: the desk refuses first
    with pytest.raises(CallRefused) as refused:
        await desk(leg, StartMessage(), HERE)  # pyright: ignore[reportArgumentType]
    assert refused.value.code == "starting"
