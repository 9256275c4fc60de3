"""Context boxes over REST: what is known of a person, how it came to be, what to do next, and handing it on.

A box exists as soon as its contact does; versions count its changes. Part of `server.rest.api`.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any, cast

import msgspec
from litestar import Controller, MediaType, Request, Response, get, post
from litestar.params import Parameter
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from context.contacts.box import ContextBox, Identity, Intent, KeyFact, OpenSlot, Source
from context.contacts.box_rows import BoxConflictError
from context.contacts.boxes import BoxVersion, VersionNotFoundError
from context.contacts.handoff import HandoffDamagedError, HandoffPackage, encoded, packed, verify
from context.contacts.prediction import AgentRole, NextAction, NextActionKind, Prediction, predicted
from context.contacts.states import BoxState, IllegalTransitionError
from context.contacts.view import BUDGET_TOKENS, ContextView
from context.security.principal import Principal, Scope
from server.rest.auth import requires, tenant_of
from server.rest.contacts import ContactId
from server.rest.etags import check_if_match
from server.rest.paging import Page, PageQuery
from server.rest.problems import Problem, not_found
from server.rest.services import Services

LARGEST_BUDGET_TOKENS = 100_000
NEWEST_VERSION = 2**31 - 1

AgentName = Annotated[str, Meta(min_length=1, max_length=100)]
Reason = Annotated[str, Meta(min_length=1, max_length=500)]


class VersionView(msgspec.Struct, frozen=True):
    """One change of a box. actor: who did it. change: what it was."""

    version: int
    at: dt.datetime
    actor: str
    change: str
    state: BoxState


class Transition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The next state, and why."""

    to: BoxState
    reason: Reason


class Handoff(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who hands the person to whom, and why."""

    from_agent: AgentName
    to_agent: AgentName
    reason: Reason


class ReceivedPackage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A handoff package as text, byte for byte as it was answered."""

    package: Annotated[str, Meta(min_length=2)]


class VerifiedPackage(msgspec.Struct, frozen=True):
    """A package that is what was handed over. newest: whether the box was not changed since."""

    contact_id: str
    version: int
    checksum: str
    newest: bool


class Contexts(Controller):
    """What is known of each person."""

    path = "/contexts"
    tags: Sequence[str] = ["contexts"]  # pyright: ignore[reportIncompatibleVariableOverride]

    @get("/{contact_id:str}", guards=[requires(Scope.CONTACTS_READ)], summary="Get a context box")
    async def get_context(self, contact_id: ContactId, principal: Principal, services: Services) -> ContextBox:
        """Everything that is known of the person. Instants are ms since the epoch."""
        return await services.boxes.get(tenant_of(principal), contact_id)

    @get("/{contact_id:str}/versions", guards=[requires(Scope.CONTACTS_READ)], summary="List versions, newest first")
    async def list_versions(
        self, contact_id: ContactId, principal: Principal, services: Services, page: PageQuery
    ) -> Page[VersionView]:
        """The newest 50 changes of the box."""
        key = page.key(int)
        before = None if key is None else int(key[0])
        found = await services.boxes.versions(tenant_of(principal), contact_id, before=before, limit=page.limit + 1)
        return page.page(found, lambda version: (version.version,), _version_view)

    @get(
        "/{contact_id:str}/versions/{version:int}",
        guards=[requires(Scope.CONTACTS_READ)],
        summary="Get an earlier version",
    )
    async def get_version(
        self, contact_id: ContactId, version: int, principal: Principal, services: Services
    ) -> ContextBox:
        """The box as it was after that change."""
        if not 0 < version <= NEWEST_VERSION:
            raise not_found("version")
        try:
            return await services.boxes.version(tenant_of(principal), contact_id, version)
        except VersionNotFoundError as error:
            raise not_found("version") from error

    @get("/{contact_id:str}/view", guards=[requires(Scope.CONTACTS_READ)], summary="Get the box as text for a model")
    async def view_context(
        self,
        contact_id: ContactId,
        principal: Principal,
        services: Services,
        budget_tokens: Annotated[
            int, Parameter(description="Tokens that it may cost at most.", ge=0, le=LARGEST_BUDGET_TOKENS)
        ] = BUDGET_TOKENS,
    ) -> ContextView:
        """The most important first, never beyond the budget; callers' words are marked as data."""
        return await services.boxes.view(tenant_of(principal), contact_id, budget_tokens)

    @get("/{contact_id:str}/prediction", guards=[requires(Scope.CONTACTS_READ)], summary="See what to do next")
    async def predict(self, contact_id: ContactId, principal: Principal, services: Services) -> Prediction:
        """Which agent should take the person next, and what it should do first."""
        return predicted(await services.boxes.get(tenant_of(principal), contact_id))

    @post(
        "/{contact_id:str}/transitions",
        guards=[requires(Scope.CONTACTS_WRITE)],
        status_code=200,
        summary="Change the state",
    )
    async def change_state(
        self,
        contact_id: ContactId,
        data: Transition,
        request: Request[Any, Any, Any],
        principal: Principal,
        services: Services,
    ) -> ContextBox:
        """One step of the state machine. 409 `illegal_transition` names the states that may follow."""
        tenant_id = tenant_of(principal)
        expected = await _expected(request, services, tenant_id, contact_id)
        try:
            return await services.boxes.transition(
                tenant_id,
                contact_id,
                data.to,
                actor=principal.id,
                reason=data.reason,
                expected_version=expected,
            )
        except IllegalTransitionError as error:
            raise Problem(409, error.code, str(error)) from error
        except BoxConflictError as error:
            raise _changed_meanwhile() from error

    @post("/{contact_id:str}/handoffs", guards=[requires(Scope.CONTACTS_WRITE)], summary="Hand a person over")
    async def hand_over(
        self,
        contact_id: ContactId,
        data: Handoff,
        request: Request[Any, Any, Any],
        principal: Principal,
        services: Services,
    ) -> Response[HandoffPackage]:
        """The package for the receiving agent. Keep its bytes as they are: `checksum` is the SHA-256 of this very JSON
        with an empty checksum."""
        tenant_id = tenant_of(principal)
        expected = await _expected(request, services, tenant_id, contact_id)
        try:
            package = await services.boxes.handoff(
                tenant_id,
                contact_id,
                from_agent=data.from_agent,
                to_agent=data.to_agent,
                reason=data.reason,
                actor=principal.id,
                expected_version=expected,
            )
        except BoxConflictError as error:
            raise _changed_meanwhile() from error
        # Bytes, because the server's own encoder would order the fields otherwise.
        return Response(cast(HandoffPackage, encoded(package)), status_code=201, media_type=MediaType.JSON)

    @post(
        "/{contact_id:str}/handoffs/verify",
        guards=[requires(Scope.CONTACTS_READ)],
        status_code=200,
        summary="Verify a handoff package",
    )
    async def verify_handoff(
        self, contact_id: ContactId, data: ReceivedPackage, principal: Principal, services: Services
    ) -> VerifiedPackage:
        """Whether a package is what was handed over. 422 `handoff_damaged` when a byte of it was changed."""
        tenant_id = tenant_of(principal)
        box = await services.boxes.get(tenant_id, contact_id)
        package = verify(data.package.encode())
        current = await services.boxes.get(tenant_id, package.contact_id) if package.tenant_id == tenant_id else None
        if current is None or current.contact_id != box.contact_id:
            raise HandoffDamagedError("package: is not of this contact")
        return VerifiedPackage(package.contact_id, package.version, package.checksum, package.version == box.version)


async def _expected(request: Request[Any, Any, Any], services: Services, tenant_id: str, contact_id: str) -> int | None:
    """The version that the client has read, None when it does not say so. Raises Problem 412."""
    if "if-match" not in request.headers:
        return None
    box = await services.boxes.get(tenant_id, contact_id)
    check_if_match(request, box)
    return box.version


def _changed_meanwhile() -> Problem:
    return Problem(412, "changed_meanwhile", "It was changed since you read it: read it again, then change it.")


def _version_view(version: BoxVersion) -> VersionView:
    at = dt.datetime.fromtimestamp(version.at_ms / 1_000, dt.UTC)
    return VersionView(version.version, at, version.actor, version.change, version.state)


handlers: Sequence[ControllerRouterHandler] = (Contexts,)

_BOX = ContextBox(
    tenant_id="clinique-du-parc",
    contact_id="8f1f6a0f2d3c4b5a69788796",
    version=3,
    state=BoxState.ENGAGED,
    identity=Identity(("Anne Roy",), ("+33612345678",), (), ("fr",)),
    intent=Intent("booking", "cleaning", Source("5f0c9a3b7d1e4a6b8c2d", 1), 1_795_000_000_000),
    facts=(
        KeyFact(
            "4c1f", "preference", "mornings", Source("5f0c9a3b7d1e4a6b8c2d", 1), 0.7, 1_795_000_000_000, "le matin"
        ),
    ),
    open_slots=(OpenSlot("slot", "when they can come", Source("5f0c9a3b7d1e4a6b8c2d")),),
    activity_ms=1_795_000_000_000,
)
_PACKAGE = packed(_BOX, from_agent="reception", to_agent="booking", reason="wants a cleaning", at_ms=1_795_000_000_000)
EXAMPLES = (
    _BOX,
    _PACKAGE,
    VersionView(
        3, dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC), "context.contacts", "call.completed", BoxState.ENGAGED
    ),
    Transition(BoxState.QUALIFIED, "needs it this month and has the budget"),
    Handoff("reception", "booking", "wants a cleaning"),
    ReceivedPackage(encoded(_PACKAGE).decode()),
    VerifiedPackage(_PACKAGE.contact_id, _PACKAGE.version, _PACKAGE.checksum, True),
    ContextView(_BOX.contact_id, 3, "What is known of this person...", 12, {}),
    Prediction(AgentRole.BOOKING, "score 45 >= 40", (NextAction(NextActionKind.ASK, "slot", "when they can come"),)),
)
