"""A tenant may ask for the audio model of the end of a turn; others do not pay for it."""

import time
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest

import agents.demo
from benchmarks.fake_engines import FakeRecognizer
from context.errors import TenantFileError
from context.tenants.config import EngineChoice, TenantConfig
from context.tenants.tenant_file import load_tenant
from server.composition import load_smart_turn
from server.health import Health
from server.loading import Progress
from voice_core.smart_turn import HearingTheEnd

DEMO = Path(agents.demo.__file__ or "").parent / "clinique_du_parc.yaml"


def asking(turn_end: str) -> TenantConfig:
    demo = load_tenant(DEMO)
    return msgspec.structs.replace(demo, engines=msgspec.convert({"turn_end": turn_end}, EngineChoice))


async def test_it_is_loaded_only_for_who_asks() -> None:
    lines: list[str] = []
    progress = Progress(lines.append, Health(), time.monotonic)
    async with AsyncExitStack() as stack:
        assert await load_smart_turn(stack, [load_tenant(DEMO)], progress) is None
        wrap = await load_smart_turn(stack, [load_tenant(DEMO), asking("smart-turn")], progress)
        assert wrap is not None
        assert isinstance(wrap(FakeRecognizer([])), HearingTheEnd)
    assert any("end-of-turn model" in line for line in lines)


def test_another_word_is_refused_and_named(tmp_path: Path) -> None:
    bad = tmp_path / "clinic.yaml"
    bad.write_text(DEMO.read_text() + "\nengines:\n  turn_end: guess\n")
    with pytest.raises(TenantFileError, match=r"engines\.turn_end.*guess"):
        load_tenant(bad)
