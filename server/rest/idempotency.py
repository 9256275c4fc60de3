"""`Idempotency-Key`: a POST, PUT, PATCH or DELETE that is repeated is done once and answered alike.

The same key with the same method, path and body gets the first answer again, with `Idempotency-Replayed: true`; with
another body it is refused with 422; while the first is still being done, with 409. A request that Parley failed (5xx)
or that was limited (429) is not kept. ASGI middleware of `server.rest.api`, after authentication.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from context.idempotency.store import Answer, Refused, Sealer, Taken
from context.security.principal import Principal
from context.security.tables import THE_SERVER
from server.rest.auth import UNSAFE_METHODS, session_cookie
from server.rest.problems import FieldError, Problem
from server.rest.services import ServiceDoor

HEADER = "Idempotency-Key"
REPLAYED_HEADER = b"idempotency-replayed"
LONGEST_KEY = 200
"""Characters."""

RETRY_AFTER_S = 1

_NOT_KEPT = frozenset({401, 408, 425, 429})
"""Statuses that say nothing about the request itself."""


class Idempotency:
    """The middleware. door: where the store comes from."""

    def __init__(self, app: ASGIApp, door: ServiceDoor) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do the request, or answer it again. Raises Problem 400, 409 and 422."""
        if scope["type"] != "http" or scope["method"] not in UNSAFE_METHODS:
            await self._app(scope, receive, send)
            return
        request: Request[Any, Any, Any] = Request(scope, receive, send)
        key = request.headers.get(HEADER)
        principal = scope["user"]
        if key is None or not isinstance(principal, Principal):
            await self._app(scope, receive, send)
            return
        if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
            raise Problem(
                400, "invalid", f"{HEADER}: 1 to {LONGEST_KEY} printable characters.",
                [FieldError(HEADER, f"1 to {LONGEST_KEY} printable characters")],
            )  # fmt: skip
        requests = self._door.services.idempotency
        tenant_id = principal.tenant_id or THE_SERVER
        sealer = Sealer(_credential(request), key)
        found = await requests.take(tenant_id, sealer, await _fingerprint(request))
        match found:
            case Refused():
                raise _refusal(found)
            case Answer():
                await _answer_again(found, send)
            case Taken():

                async def keep(answer: Answer) -> None:
                    if answer.status >= 500 or answer.status in _NOT_KEPT:
                        await requests.forget(tenant_id, sealer, found)
                    else:
                        await requests.keep(tenant_id, sealer, found, answer)

                recorder = _Recorder(send, keep)
                await self._app(scope, receive, recorder)
                if not recorder.complete:
                    await requests.forget(tenant_id, sealer, found)


class _Recorder:
    """Remembers an answer while it is sent, and has it kept before its last byte leaves."""

    def __init__(self, send: Send, keep: Callable[[Answer], Awaitable[None]]) -> None:
        self.complete = False
        self._send = send
        self._keep = keep
        self._status = 0
        self._headers: tuple[tuple[str, str], ...] = ()
        self._body: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = tuple(
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]
            )
        elif message["type"] == "http.response.body":
            self._body.append(message["body"])
            if not message.get("more_body", False):
                await self._keep(Answer(self._status, self._headers, b"".join(self._body)))
                self.complete = True
        await self._send(message)


async def _answer_again(answer: Answer, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    headers.append((REPLAYED_HEADER, b"true"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


async def _fingerprint(request: Request[Any, Any, Any]) -> bytes:
    parts = (request.method, request.url.path, request.url.query, request.headers.get("accept", ""))
    return "\n".join(parts).encode() + b"\n" + await request.body()


def _credential(request: Request[Any, Any, Any]) -> str:
    return request.headers.get("authorization") or session_cookie(request) or ""


def _refusal(refused: Refused) -> Problem:
    match refused:
        case Refused.OTHER_REQUEST:
            return Problem(422, "idempotency_key_reused", f"This {HEADER} was used for another request.")
        case Refused.STILL_RUNNING:
            return Problem(
                409,
                "idempotency_in_progress",
                f"The first request with this {HEADER} is still being done.",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        case Refused.ANSWER_GONE:
            return Problem(
                409, "idempotency_answer_gone", f"The request with this {HEADER} was done; its answer is not kept."
            )
