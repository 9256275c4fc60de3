"""An OpenAI-compatible server on loopback whose answers are written by the test.

The plugins of the real client talk to it over HTTP, so what is tested is the path that a customer's
provider would be on: streaming, tool calls, errors, delays and broken connections.
"""

import asyncio
import io
import json
import wave
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from aiohttp import web


class Say:
    """Stream these words. first_s: before the first one. cut: break the connection after them."""

    def __init__(self, text: str, *, first_s: float = 0.0, cut: bool = False) -> None:
        self.text = text
        self.first_s = first_s
        self.cut = cut


class Call:
    """Say something, then call a tool."""

    def __init__(self, name: str, arguments: dict[str, Any], *, say: str = "") -> None:
        self.name = name
        self.arguments = arguments
        self.say = say


class Fail:
    """Answer with an HTTP error."""

    def __init__(self, status: int) -> None:
        self.status = status


Answer = Say | Call | Fail


class OpenAiServer:
    """Answers chat requests from `answers`, in order; the last one stays. `requests` holds what was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[dict[str, Any]] = []
        self.transcript = ""
        self.speech_requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.url = ""

    def answer(self, *answers: Answer) -> None:
        """Set the answers to the next requests."""
        self.answers = list(answers)

    def messages(self, request: int = -1) -> list[dict[str, Any]]:
        """The messages of a request."""
        return self.requests[request]["messages"]

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.keys.append(request.headers.get("Authorization", ""))
        self.requests.append(await request.json())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Fail):
            return web.json_response({"error": {"message": "no", "type": "server_error"}}, status=answer.status)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(_event({"role": "assistant", "content": ""}))
        if isinstance(answer, Say):
            await asyncio.sleep(answer.first_s)
            await _write_words(response, answer.text)
            if answer.cut:
                assert request.transport is not None
                request.transport.close()
                return response
            await response.write(_event({}, finish="stop"))
        else:
            await _write_words(response, answer.say)
            function = {"name": answer.name, "arguments": json.dumps(answer.arguments)}
            call = {"index": 0, "id": f"call_{len(self.requests)}", "type": "function", "function": function}
            await response.write(_event({"tool_calls": [call]}))
            await response.write(_event({}, finish="tool_calls"))
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        await response.write(_event(None, usage=usage))
        await response.write(b"data: [DONE]\n\n")
        return response

    async def transcribe(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.speech_requests.append({"model": form["model"], "language": form.get("language", "")})
        return web.json_response({"text": self.transcript})

    async def speak(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.speech_requests.append(asked)
        return web.Response(body=_wave(len(asked["input"].split())), content_type="audio/wav")


@asynccontextmanager
async def openai_server() -> AsyncGenerator[OpenAiServer, None]:
    """Run the server on a free port of the loopback."""
    server = OpenAiServer()
    application = web.Application()
    application.router.add_post("/v1/chat/completions", server.chat)
    application.router.add_post("/v1/audio/transcriptions", server.transcribe)
    application.router.add_post("/v1/audio/speech", server.speak)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    addresses: Sequence[Any] = runner.addresses
    server.url = f"http://127.0.0.1:{addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()


async def _write_words(response: web.StreamResponse, text: str) -> None:
    for index, word in enumerate(text.split(" ")):
        if text:
            await response.write(_event({"content": word if index == 0 else f" {word}"}))
            await asyncio.sleep(0)


def _event(delta: dict[str, Any] | None, *, finish: str | None = None, usage: dict[str, Any] | None = None) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    body = {"id": "chat-1", "object": "chat.completion.chunk", "created": 1, "model": "fake", "choices": choices}
    return f"data: {json.dumps(body | ({'usage': usage} if usage else {}))}\n\n".encode()


def _wave(words: int) -> bytes:
    """Silence of 300 ms, a tone of 250 ms a word, silence of 300 ms; 24 kHz."""
    at = np.arange(24_000 * 250 * words // 1000)
    tone = (8_000 * np.sin(2 * np.pi * 300 * at / 24_000)).astype(np.int16)
    quiet = np.zeros(7_200, dtype=np.int16)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24_000)
        file.writeframes(np.concatenate([quiet, tone, quiet]).tobytes())
    return buffer.getvalue()
