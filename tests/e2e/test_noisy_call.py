"""A caller in a noisy place, over a telephone line."""

import pytest

from tests.e2e.scripted_calls import ScriptedCalls

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_caller_in_a_noisy_place_is_answered(calls: ScriptedCalls) -> None:
    person = (await calls.noisy).person
    greeting, *answers = person.agent_said
    assert "Clinique du Parc" in greeting
    assert len(answers) == 2, f"noise alone is not answered: {person.finals}"
    assert "1 p.m." in answers[0]
    assert "€65" in answers[1]
