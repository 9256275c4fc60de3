"""`parley events`: what an operator types when something was not handled."""

import asyncio
import json

import pytest
from typer.testing import CliRunner, Result

from context.events.event import Event
from context.events.subscription import Subscription
from context.store.database import Store
from context.store.transaction import TenantTransaction
from server.commands.events import app
from tests.events.small_bus import PARK, an_event, deliveries, running_bus, until_settled


@pytest.fixture
async def handled(file_store: Store, file_url: str) -> Store:
    """Events of a server that has stopped: one was handled, one is a dead letter."""

    async def handle(event: Event, transaction: TenantTransaction) -> None:
        if event.id == "bad":
            raise RuntimeError("poison")

    async with running_bus(file_store, file_url, Subscription("billing", ("*",), handle)) as bus:
        await bus.publish(an_event("good", kind="call.started", call_id="c1"))
        await bus.publish(an_event("bad", kind="crm.won"))
        await until_settled(file_store, 2)
    return file_store


async def states(store: Store) -> dict[str, str]:
    return {row["event_id"]: row["state"] for row in await deliveries(store)}


async def invoke(file_url: str, *words: str) -> Result:
    """In a thread: the command has a loop of its own."""
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, [*words, "--database-url", file_url]))


async def run(file_url: str, *words: str) -> str:
    result = await invoke(file_url, *words)
    assert result.exit_code == 0, result.output
    return result.output


async def test_dead_letters_are_listed_with_the_command_that_retries_them(handled: Store, file_url: str) -> None:
    listed = await run(file_url, "dlq", "list", "--tenant", PARK)
    assert "event bad  subscriber billing  4 attempts  RuntimeError: poison" in listed
    assert "parley events dlq retry --tenant park --event bad --subscriber billing" in listed
    assert await run(file_url, "dlq", "list", "--tenant", "lake") == "No dead letters.\n"

    words = listed.splitlines()[1].split()[2:]
    assert "1 dead letters wait" in await run(file_url, *words)
    assert await states(handled) == {"good": "handled", "bad": "pending"}


async def test_a_dead_letter_can_be_dropped(handled: Store, file_url: str) -> None:
    assert "1 dead letters dropped" in await run(file_url, "dlq", "drop", "--tenant", PARK)
    assert await states(handled) == {"good": "handled", "bad": "dropped"}


async def test_replay_puts_handled_events_back_and_names_who_there_is(handled: Store, file_url: str) -> None:
    replayed = await run(
        file_url, "replay", "--tenant", PARK, "--subscriber", "billing", "--type", "call.*", "--since", "2025-11-24"
    )
    assert "1 deliveries wait" in replayed
    assert await states(handled) == {"good": "pending", "bad": "dead"}
    result = await invoke(file_url, "replay", "--tenant", PARK, "--subscriber", "who")
    assert result.exit_code == 1
    assert "'who' is none of billing" in result.output


async def test_tail_shows_events_as_json_lines(handled: Store, file_url: str) -> None:
    shown = await run(file_url, "tail", "--after", "0", "--count", "2", "--tenant", PARK)
    lines = [json.loads(line) for line in shown.splitlines()]
    assert [(line["position"], line["id"], line["type"]) for line in lines] == [
        (1, "good", "call.started"),
        (2, "bad", "crm.won"),
    ]
    assert lines[0]["payload"] == {"call_id": "c1"}


async def test_a_pattern_that_cannot_be_read_is_refused(handled: Store, file_url: str) -> None:
    result = await invoke(file_url, "tail", "--type", "Call")
    assert result.exit_code == 2
    assert "call.completed" in result.output
