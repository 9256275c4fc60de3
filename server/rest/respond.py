"""`POST /v1/respond`: one turn in text with the agent of the phone, whole or streamed as it is made.

The same responder, tools and policies as in a call; a conversation is kept per tenant and goes on after a restart.
Part of `server.rest.api`.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.response import Response, Stream
from litestar.types import ControllerRouterHandler

from context.conversations.store import Conversation, ConversationNotFoundError
from context.errors import ContextError
from context.security.principal import Principal, Scope
from context.tenants.config import Persona, TenantConfig
from server.rest.auth import requires, tenant_of
from server.rest.calls import Language
from server.rest.cors import CROSS_ORIGIN
from server.rest.problems import Problem, bad_field, body_of, not_found, problem_of
from server.rest.services import Services
from server.text_turns import TextReply
from voice_core.errors import VoiceError
from voice_core.responder import ReplyPart, ReplyText, ReplyTool, ReplyTransfer

LONGEST_TEXT = 1_000
"""Characters (product facts, section 2)."""

EVENT_STREAM = "text/event-stream"


class TurnBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody writes. text: "" lets the agent greet in a new conversation. conversation_id: left out for a new
    one. language: of the text, left out when it is not known. persona: id of one of the tenant's personas, for a new
    conversation."""

    text: Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)] = ""
    conversation_id: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] | None = None
    language: Language | None = None
    persona: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] | None = None


class ActionView(msgspec.Struct, frozen=True):
    """A tool that ran."""

    name: str
    arguments: dict[str, Any]
    result: dict[str, Any]
    ok: bool


class TransferView(msgspec.Struct, frozen=True):
    """To whom the writer should be passed on."""

    reason: str
    destination: str


class ReplyView(msgspec.Struct, frozen=True):
    """The agent's answer. expected: the kind of answer it waits for, such as phone or date_time. outcome: of the
    conversation if it ends now. ended: nothing more can be said in it."""

    reply: str
    conversation_id: str
    actions: list[ActionView]
    expected: str
    language: str
    outcome: str
    ended: bool
    transfer: TransferView | None = None


class WrittenTurn(msgspec.Struct, frozen=True):
    """One turn of a conversation. text: "" when the agent began."""

    turn: int
    text: str
    reply: str
    language: str
    actions: list[ActionView]


class ConversationView(msgspec.Struct, frozen=True):
    """What was said in a conversation that goes on. Once it is over it is a call on the channel text."""

    conversation_id: str
    turns: list[WrittenTurn]


@post(
    "/respond",
    guards=[requires(Scope.CALLS_PLACE)],
    opt=CROSS_ORIGIN,
    status_code=200,
    tags=["conversations"],
    summary="Say something to the agent",
    responses={200: ResponseSpec(ReplyView, generate_examples=False, description="The agent's answer.")},
)
async def respond(
    data: TurnBody, request: Request[Any, Any, Any], principal: Principal, services: Services
) -> Response[ReplyView] | Stream:
    """One turn: the agent answers, and does what it says (it may book).

    With `Accept: text/event-stream` the answer comes as it is made: events `text` {text, language}, `action`, and at
    the end `reply` with all of it, or `error` with a problem.
    """
    tenant, conversation = await _conversation(data, services, tenant_of(principal))
    parts = services.text_turns.answer(tenant, conversation, data.text, data.language or conversation.language)
    if EVENT_STREAM in request.headers.get("accept", ""):
        return Stream(_events(parts), media_type=EVENT_STREAM, headers={"X-Accel-Buffering": "no"})
    whole: TextReply | None = None
    async for part in parts:
        if isinstance(part, TextReply):
            whole = part
    assert whole is not None
    return Response(reply_view(whole))


@get(
    "/conversations/{conversation_id:str}",
    guards=[requires(Scope.CALLS_READ)],
    tags=["conversations"],
    summary="Read a conversation that goes on",
)
async def get_conversation(conversation_id: str, principal: Principal, services: Services) -> ConversationView:
    """What was said so far. A conversation that is over is found among the calls."""
    turns = await services.conversations.turns(tenant_of(principal), conversation_id)
    if not turns:
        raise not_found("conversation")
    written = [
        WrittenTurn(turn.turn, turn.text, turn.reply, turn.language, msgspec.convert(turn.actions, list[ActionView]))
        for turn in turns
    ]
    return ConversationView(conversation_id, written)


def reply_view(reply: TextReply) -> ReplyView:
    """A reply as clients see it."""
    transfer = reply.transfer
    return ReplyView(
        reply=reply.text,
        conversation_id=reply.conversation_id,
        actions=[_action(tool) for tool in reply.actions],
        expected=reply.expected,
        language=reply.language,
        outcome=reply.outcome.value,
        ended=reply.ended,
        transfer=TransferView(transfer.reason, transfer.destination) if transfer else None,
    )


def _action(tool: ReplyTool) -> ActionView:
    return ActionView(tool.name, tool.arguments, tool.result, tool.ok)


async def _conversation(data: TurnBody, services: Services, tenant_id: str) -> tuple[TenantConfig, Conversation]:
    """The tenant with the conversation's persona, and the conversation, taken for this turn."""
    tenant = services.tenants.serving(tenant_id)
    if services.runtimes.of(tenant_id) is None:
        raise Problem(
            503, "unavailable", "This tenant cannot be answered for at the moment.", headers={"Retry-After": "5"}
        )
    if data.language is not None and data.language not in tenant.languages:
        raise bad_field("language", f"one of {', '.join(tenant.languages)}", data.language)
    if data.conversation_id is None:
        with_persona = _with_persona(tenant, data.persona)
        return with_persona, await services.text_turns.begin(with_persona, data.language or tenant.default_language)
    if not data.text:
        raise bad_field("text", f"1 to {LONGEST_TEXT} characters in a conversation that goes on")
    try:
        conversation = await services.text_turns.go_on(tenant_id, data.conversation_id)
    except ConversationNotFoundError as error:
        raise not_found("conversation") from error
    return _with_persona(tenant, conversation.persona_id, strictly=False), conversation


def _with_persona(tenant: TenantConfig, persona_id: str | None, *, strictly: bool = True) -> TenantConfig:
    """The tenant speaking with this persona. strictly: an unknown one is an error, else the usual one speaks."""
    personas: dict[str, Persona] = {persona.id: persona for persona in (*tenant.personas.values(), tenant.persona)}
    if persona_id is None or (not strictly and persona_id not in personas):
        return tenant
    if persona_id not in personas:
        raise bad_field("persona", f"one of {', '.join(personas)}", persona_id)
    return msgspec.structs.replace(tenant, persona=personas[persona_id])


async def _events(parts: AsyncGenerator[ReplyPart | TextReply, None]) -> AsyncGenerator[bytes, None]:
    try:
        async for part in parts:
            match part:
                case ReplyText():
                    yield _event("text", part)
                case ReplyTool():
                    yield _event("action", _action(part))
                case ReplyTransfer():
                    yield _event("transfer", TransferView(part.reason, part.destination))
                case TextReply():
                    yield _event("reply", reply_view(part))
                case _:
                    pass
    except (ContextError, VoiceError) as error:
        yield _event("error", body_of(problem_of(error)))


def _event(name: str, data: msgspec.Struct) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"


handlers: Sequence[ControllerRouterHandler] = (respond, get_conversation)

EXAMPLES = (
    TurnBody("Can I have a cleaning tomorrow at ten?", language="en"),
    ReplyView(
        reply="I have ten o'clock tomorrow. What is your name?",
        conversation_id="9b1d2c3e4f5061728394a5b6",
        actions=[],
        expected="name",
        language="en",
        outcome="partial",
        ended=False,
    ),
    ConversationView(
        "9b1d2c3e4f5061728394a5b6",
        [WrittenTurn(1, "Can I have a cleaning tomorrow?", "At what time?", "en", [])],
    ),
)
