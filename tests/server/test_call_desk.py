"""Who is answered, and in which language."""

from pathlib import Path

import pytest

import agents.demo
from context.tenants.files import TenantDirectory, key_digest
from server.call_desk import CallDesk, language_for, tenant_for
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


def test_without_a_key_the_demo_answers_this_machine_and_nobody_else(tenants: TenantDirectory) -> None:
    assert tenant_for(tenants, None, HERE).id == "clinique_du_parc"
    with pytest.raises(CallRefused) as refused:
        tenant_for(tenants, None, ELSEWHERE)
    assert refused.value.code == "unauthorized"


@pytest.mark.parametrize("peer", [HERE, ELSEWHERE])
def test_a_key_opens_its_tenant_from_anywhere_and_a_wrong_one_opens_not_even_the_demo(
    tenants: TenantDirectory, peer: Peer
) -> None:
    assert tenant_for(tenants, "open sesame", peer).id == "other_clinic"
    with pytest.raises(CallRefused) as refused:
        tenant_for(tenants, "open barley", peer)
    assert refused.value.code == "unauthorized"


@pytest.mark.parametrize(("asked", "spoken"), [(None, "en"), ("fr", "fr"), ("fr-FR", "fr"), ("EN", "en")])
def test_the_language_is_the_asked_one_or_the_tenants_own(
    tenants: TenantDirectory, asked: str | None, spoken: str
) -> None:
    assert language_for(tenant_for(tenants, None, HERE), asked) == spoken


def test_a_language_that_the_tenant_does_not_speak_is_refused_with_those_it_does(tenants: TenantDirectory) -> None:
    with pytest.raises(CallRefused, match="en, fr") as refused:
        language_for(tenant_for(tenants, None, HERE), "de")
    assert refused.value.code == "unsupported_language"


async def test_a_desk_that_is_not_open_yet_asks_to_come_back() -> None:
    desk = CallDesk(new_call_id=lambda: "c1")
    leg = ToneCall.__new__(ToneCall)  # never touched: the desk refuses first
    with pytest.raises(CallRefused) as refused:
        await desk(leg, StartMessage(), HERE)  # pyright: ignore[reportArgumentType]
    assert refused.value.code == "starting"
