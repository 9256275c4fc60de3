"""A person on the voice socket: speaks when the test says so, listens all the time, and may be in a noisy place.

    async with on_the_line(server.voice_url) as person:
        await person.my_turn()
        person.say(pcm)

`server.caller` waits for its turn like a polite script; a person interrupts, coughs, and answers what is asked.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from server.caller_line import CallerLine
from voice_core.frames import FRAME_MS, Pcm16

MY_TURN_QUIET_MS = 700.0
"""Agent silence, with the server listening, after which a person takes their turn."""
PATIENCE_S = 40.0


class Person:
    """One live call. finals: (role, text) in order. tools: what the agent did. line: both sides as heard here."""

    def __init__(self, connection: ClientConnection, rate_hz: int, background: Pcm16 | None) -> None:
        self.line = CallerLine(rate_hz)
        self.finals: list[tuple[str, str]] = []
        self.tools: list[dict[str, Any]] = []
        self.ended: dict[str, Any] = {}
        self.frame_times_s: list[float] = []
        """When each of the agent's frames arrived."""
        self._connection = connection
        self._background = background
        self._state = ""
        self._agent_last_ms = 0.0

    @property
    def agent_said(self) -> list[str]:
        """The agent's turns, as far as they were heard."""
        return [text for role, text in self.finals if role == "agent" and text]

    @property
    def was_heard(self) -> list[str]:
        """This person's turns, as the agent understood them."""
        return [text for role, text in self.finals if role == "caller" and text]

    def say(self, pcm: Pcm16) -> float:
        """Begin to speak; returns when, ms of the recording."""
        self.line.say(pcm)
        return self.line.now_ms

    async def type(self, text: str) -> None:
        """Write instead of speaking."""
        await self._connection.send(msgspec.json.encode({"type": "text", "text": text}).decode())

    async def cut_off(self) -> None:
        """Wait until the connection is gone."""
        await self._connection.wait_closed()

    async def my_turn(self) -> None:
        """Wait until everything is said and the agent has stopped and listens."""
        await self._until(
            lambda: (
                not self.line.is_speaking
                and self._state == "listening"
                and self.line.now_ms - self._agent_last_ms > MY_TURN_QUIET_MS
            )
        )

    async def answered(self) -> str:
        """Wait for the answer to what is being said, and until the agent has finished; returns the answer."""
        before = len(self.finals)

        def was_answered() -> bool:
            roles = [role for role, text in self.finals[before:] if text]
            return "caller" in roles and "agent" in roles[roles.index("caller") :]

        await self._until(lambda: not self.line.is_speaking)
        await self._until(was_answered)
        await self.my_turn()
        return self.agent_said[-1]

    async def agent_does(self, tool: str) -> None:
        """Wait until the agent has run a tool."""
        await self._until(lambda: any(run["name"] == tool for run in self.tools))

    async def agent_speaks(self, for_ms: float) -> None:
        """Wait until the agent has been heard for so long."""
        began_ms: float | None = None

        def heard() -> bool:
            nonlocal began_ms
            if not self.line.agent_pending:
                return False
            began_ms = self.line.now_ms if began_ms is None else began_ms
            return self.line.now_ms - began_ms >= for_ms

        await self._until(heard)

    async def hang_up(self) -> dict[str, Any]:
        """End the call; returns the server's `ended`."""
        await self._connection.send('{"type":"hangup"}')
        await self._until(lambda: bool(self.ended))
        return self.ended

    async def live(self) -> None:
        """Send 20 ms every 20 ms; the recording's clock is this one."""
        due_s = time.monotonic()
        with contextlib.suppress(ConnectionClosed):
            while True:
                if self.line.agent_pending:
                    self._agent_last_ms = self.line.now_ms
                await self._connection.send(self._in_the_room(self.line.tick()).astype("<i2").tobytes())
                due_s += FRAME_MS / 1000
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))

    async def listen(self) -> None:
        """Take what the server sends until it closes."""
        with contextlib.suppress(ConnectionClosed):
            async for data in self._connection:
                if isinstance(data, bytes):
                    self.frame_times_s.append(time.monotonic())
                    self.line.arrived(np.frombuffer(data, "<i2").astype(np.int16))
                else:
                    self._told(msgspec.json.decode(data))

    def _told(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "state":
                self._state = message["state"]
            case "clear":
                self.line.clear()
            case "transcript" if message["final"]:
                self.finals.append((message["role"], message["text"]))
            case "tool":
                self.tools.append(message)
            case "ended":
                self.ended = message
            case _:
                pass

    def _in_the_room(self, frame: Pcm16) -> Pcm16:
        if self._background is None:
            return frame
        at = int(self.line.now_ms * self.line.rate_hz / 1000) % (len(self._background) - len(frame))
        mixed = frame.astype(np.int32) + self._background[at : at + len(frame)]
        return np.clip(mixed, -32768, 32767).astype(np.int16)

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(FRAME_MS / 1000)


@asynccontextmanager
async def on_the_line(url: str, rate_hz: int = 16_000, background: Pcm16 | None = None) -> AsyncGenerator[Person]:
    """A call that is ended with the block, at the latest. background: sound of the place, looped."""
    async with connect(f"{url}?sample_rate={rate_hz}", max_queue=None, compression=None, proxy=None) as connection:
        person = Person(connection, rate_hz, background)
        tasks = [asyncio.create_task(person.live()), asyncio.create_task(person.listen())]
        try:
            yield person
            if not person.ended:
                with contextlib.suppress(ConnectionClosed):
                    await person.hang_up()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def converse(
    person: Person,
    script: Sequence[str],
    answers: dict[str, str],
    voice: Callable[[str], Awaitable[Pcm16]],
    *,
    corrections: dict[str, str],
    done: Callable[[], bool],
    most_questions: int = 6,
) -> None:
    """Say the script turn by turn, answer the agent's questions until `done`, and put right what it reads back.

    answers: words of the agent's question -> what this person says to it; the first that fits. corrections:
    words that the read-back must hold -> what is said when it does not.
    """
    await person.my_turn()
    for sentence in script:
        person.say(await voice(sentence))
        await person.answered()
    for _ in range(most_questions):
        asked = person.agent_said[-1]
        missing = [said for words, said in corrections.items() if words not in asked]
        if done() and not missing:
            return
        is_read_back = done() and len(missing) < len(corrections)
        replies = [said for words, said in answers.items() if words in asked.lower()]
        reply = missing[0] if is_read_back else next(iter(replies), None)
        assert reply is not None, f"the agent asks something nobody can answer: {person.finals}"
        person.say(await voice(reply))
        await person.answered()
    assert done(), f"after {most_questions} questions: {person.finals}"
