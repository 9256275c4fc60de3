"""Webhooks over REST: endpoints, their secrets, a test, the delivery log and sending something again.

A secret is in the answer that makes it and in no other. What may be sent where is decided in `context.webhooks`. Part
of `server.rest.api`; the page /webhooks is made of these.
"""

import datetime as dt
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Request, delete, get, patch, post
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from context.events.outbox import TYPE_LIMIT_CHARS
from context.security.principal import Principal, Scope
from context.webhooks.delivery import Attempt, Delivery, DeliveryState, Origin
from context.webhooks.destination import LONGEST_URL
from context.webhooks.endpoint import LONGEST_DESCRIPTION, MOST_PATTERNS, Endpoint, EndpointState
from context.webhooks.errors import (
    DestinationRefusedError,
    EndpointLimitError,
    EndpointStateError,
    EventGoneError,
    UnknownTypeError,
)
from context.webhooks.service import LONGEST_OVERLAP_S, OVERLAP_S, Change, NewEndpoint
from server.rest.auth import requires, tenant_of
from server.rest.etags import check_if_match
from server.rest.paging import Page, PageQuery
from server.rest.problems import FieldError, Problem
from server.rest.services import Services

Url = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_URL)]
Pattern = Annotated[str, msgspec.Meta(min_length=1, max_length=TYPE_LIMIT_CHARS)]
Patterns = Annotated[list[Pattern], msgspec.Meta(min_length=1, max_length=MOST_PATTERNS)]
Description = Annotated[str, msgspec.Meta(max_length=LONGEST_DESCRIPTION)]


class WebhookView(msgspec.Struct, frozen=True):
    """An endpoint. types: event types and patterns such as `call.*`. state: `disabled` by Parley after days without a
    delivery that arrived. failing_since: the first delivery that was lost since one arrived. previous_secret_until: the
    secret before this one signs too until then."""

    id: str
    url: str
    types: list[str]
    description: str
    state: EndpointState
    failing_since: dt.datetime | None
    previous_secret_until: dt.datetime | None
    created_at: dt.datetime


class WebhookWithSecret(msgspec.Struct, frozen=True):
    """An endpoint and its new secret, which is shown this once."""

    webhook: WebhookView
    secret: str


class NewWebhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An endpoint to make. url: https and public. types: which events, `*` for all of them."""

    url: Url
    types: Patterns
    description: Description = ""


class WebhookChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change; fields that are left out or null stay. state: `active` also forgets that it failed."""

    url: Url | None = None
    types: Patterns | None = None
    description: Description | None = None
    state: Literal["active", "paused"] | None = None


class SecretRotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to replace the secret. overlap_s: how long the old one signs too; 0 when it has leaked."""

    overlap_s: Annotated[int, msgspec.Meta(ge=0, le=LONGEST_OVERLAP_S)] = OVERLAP_S


class AttemptView(msgspec.Struct, frozen=True):
    """One attempt. status: of HTTP, null without an answer, and then `error` says why. response: how the answer
    begins, e-mail addresses and phone numbers masked."""

    attempt: int
    at: dt.datetime
    duration_ms: int
    status: int | None
    error: str
    response: str


class DeliveryView(msgspec.Struct, frozen=True):
    """One event on its way to one endpoint. next_attempt_at: null when it is over."""

    id: str
    webhook_id: str
    event_id: str
    event_type: str
    origin: Origin
    state: DeliveryState
    created_at: dt.datetime
    next_attempt_at: dt.datetime | None
    attempts: list[AttemptView]


class WebhookResource(Controller):
    """Where the tenant's events go."""

    path = "/webhooks"
    tags: Sequence[str] = ["webhooks"]  # pyright: ignore[reportIncompatibleVariableOverride]

    @get("/", guards=[requires(Scope.WEBHOOKS_READ)], summary="List webhooks")
    async def list_webhooks(self, principal: Principal, services: Services) -> Page[WebhookView]:
        """Every endpoint, oldest first; there are few, so one page holds them all."""
        return Page([_view(each) for each in await services.webhooks.endpoints(tenant_of(principal))])

    @post("/", guards=[requires(Scope.WEBHOOKS_WRITE)], summary="Make a webhook")
    async def create_webhook(self, data: NewWebhook, principal: Principal, services: Services) -> WebhookWithSecret:
        """Events are sent from now on. The secret is in this answer alone."""
        with _as_problems():
            made = await services.webhooks.create(
                tenant_of(principal), principal.id, data.url, data.types, data.description
            )
        return _with_secret(made)

    @get("/deliveries", guards=[requires(Scope.WEBHOOKS_READ)], summary="List deliveries, newest first")
    async def list_deliveries(
        self,
        principal: Principal,
        services: Services,
        page: PageQuery,
        webhook_id: Annotated[str | None, QueryParameter(description="To this endpoint.", max_length=100)] = None,
        event_id: Annotated[str | None, QueryParameter(description="Of this event.", max_length=200)] = None,
        delivery_state: Annotated[
            DeliveryState | None, QueryParameter(name="state", description="In this state.")
        ] = None,
    ) -> Page[DeliveryView]:
        """The delivery log with every attempt, kept for 30 days."""
        after = page.key(str)
        found = await services.webhooks.deliveries(
            tenant_of(principal),
            page.limit + 1,
            endpoint_id=webhook_id,
            state=delivery_state,
            event_id=event_id,
            before_id=str(after[0]) if after else None,
        )
        return page.page(found, lambda delivery: (delivery.id,), _delivery_view)

    @get("/deliveries/{delivery_id:str}", guards=[requires(Scope.WEBHOOKS_READ)], summary="Get one delivery")
    async def get_delivery(self, delivery_id: str, principal: Principal, services: Services) -> DeliveryView:
        """One delivery with every attempt."""
        return _delivery_view(await services.webhooks.delivery(tenant_of(principal), delivery_id))

    @post(
        "/deliveries/{delivery_id:str}/redeliver",
        guards=[requires(Scope.WEBHOOKS_WRITE)],
        summary="Send an event again",
    )
    async def redeliver(self, delivery_id: str, principal: Principal, services: Services) -> DeliveryView:
        """A new delivery of the same event with the same idempotency key. 410 when the event is not kept any more."""
        with _as_problems():
            planned = await services.webhooks.redeliver(tenant_of(principal), principal.id, delivery_id)
        return _delivery_view(planned)

    @get("/{webhook_id:str}", guards=[requires(Scope.WEBHOOKS_READ)], summary="Get one webhook")
    async def get_webhook(self, webhook_id: str, principal: Principal, services: Services) -> WebhookView:
        """One endpoint, without its secret."""
        return _view(await services.webhooks.get(tenant_of(principal), webhook_id))

    @patch("/{webhook_id:str}", guards=[requires(Scope.WEBHOOKS_WRITE)], summary="Change a webhook")
    async def change_webhook(
        self,
        webhook_id: str,
        data: WebhookChange,
        request: Request[Any, Any, Any],
        principal: Principal,
        services: Services,
    ) -> WebhookView:
        """Change where and what is sent, pause it, or make it active again."""
        tenant_id, webhooks = tenant_of(principal), services.webhooks
        check_if_match(request, _view(await webhooks.get(tenant_id, webhook_id)))
        state = EndpointState(data.state) if data.state is not None else None
        change = Change(url=data.url, types=data.types, description=data.description, state=state)
        with _as_problems():
            return _view(await webhooks.change(tenant_id, principal.id, webhook_id, change))

    @delete("/{webhook_id:str}", guards=[requires(Scope.WEBHOOKS_WRITE)], summary="Delete a webhook")
    async def delete_webhook(
        self, webhook_id: str, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> None:
        """Remove it with its secret, its log and what was still to be sent."""
        tenant_id, webhooks = tenant_of(principal), services.webhooks
        check_if_match(request, _view(await webhooks.get(tenant_id, webhook_id)))
        await webhooks.delete(tenant_id, principal.id, webhook_id)

    @post("/{webhook_id:str}/rotate", guards=[requires(Scope.WEBHOOKS_WRITE)], summary="Replace the secret")
    async def rotate_secret(
        self, webhook_id: str, data: SecretRotation, principal: Principal, services: Services
    ) -> WebhookWithSecret:
        """A new secret, in this answer alone. The old one signs too until the overlap ends."""
        with _as_problems():
            rotated = await services.webhooks.rotate(tenant_of(principal), principal.id, webhook_id, data.overlap_s)
        return _with_secret(rotated)

    @post("/{webhook_id:str}/test", guards=[requires(Scope.WEBHOOKS_WRITE)], summary="Send a test")
    async def send_test(self, webhook_id: str, principal: Principal, services: Services) -> DeliveryView:
        """Send a `webhook.test` now, once, whatever the state, and show what came back."""
        return _delivery_view(await services.webhooks.send_test(tenant_of(principal), principal.id, webhook_id))


@contextmanager
def _as_problems() -> Generator[None]:
    """Say which field is wrong, and 409 or 410 for what is wrong with no field."""
    try:
        yield
    except DestinationRefusedError as error:
        raise Problem(422, error.code, str(error), [FieldError("url", "https:// and a public host name")]) from error
    except UnknownTypeError as error:
        allowed = "event types such as call.completed, and patterns such as call.* or *"
        raise Problem(422, error.code, str(error), [FieldError("types", allowed)]) from error
    except EventGoneError as error:
        raise Problem(410, error.code, str(error)) from error
    except (EndpointLimitError, EndpointStateError) as error:
        raise Problem(409, error.code, str(error)) from error


def _with_secret(made: NewEndpoint) -> WebhookWithSecret:
    return WebhookWithSecret(_view(made.endpoint), made.secret)


def _view(endpoint: Endpoint) -> WebhookView:
    return WebhookView(
        id=endpoint.id,
        url=endpoint.url,
        types=list(endpoint.types),
        description=endpoint.description,
        state=endpoint.state,
        failing_since=None if endpoint.failing_since_ms is None else _instant(endpoint.failing_since_ms),
        previous_secret_until=_instant(endpoint.previous_until_ms) if endpoint.previous_secret_id else None,
        created_at=_instant(endpoint.created_at_ms),
    )


def _delivery_view(delivery: Delivery) -> DeliveryView:
    return DeliveryView(
        id=delivery.id,
        webhook_id=delivery.endpoint_id,
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        origin=delivery.origin,
        state=delivery.state,
        created_at=_instant(delivery.created_at_ms),
        next_attempt_at=_instant(delivery.due_at_ms) if delivery.state is DeliveryState.PENDING else None,
        attempts=[_attempt_view(attempt) for attempt in delivery.log],
    )


def _attempt_view(attempt: Attempt) -> AttemptView:
    return AttemptView(
        attempt=attempt.attempt,
        at=_instant(attempt.at_ms),
        duration_ms=attempt.duration_ms,
        status=attempt.status,
        error=attempt.error,
        response=attempt.response,
    )


def _instant(at_ms: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC)


handlers: Sequence[ControllerRouterHandler] = (WebhookResource,)

_NOON = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
_WEBHOOK = WebhookView(
    id="we_3f1c0a9be27d4c55a0b1c2d3",
    url="https://crm.example.com/parley",
    types=["call.completed", "booking.*"],
    description="CRM",
    state=EndpointState.ACTIVE,
    failing_since=None,
    previous_secret_until=None,
    created_at=_NOON,
)
EXAMPLES = (
    _WEBHOOK,
    WebhookWithSecret(_WEBHOOK, "whsec_vN3l0m8mWcW8E1cB4m3nqk5q0a6m2yJr7b1d9f3h5i8"),
    NewWebhook(_WEBHOOK.url, _WEBHOOK.types, _WEBHOOK.description),
    WebhookChange(types=["call.*"], state="paused"),
    SecretRotation(3600),
    DeliveryView(
        id="wd_019a00f3c2e04fa1b2c3d4e5",
        webhook_id=_WEBHOOK.id,
        event_id="5f0c9a3b7d1e4a6b8c2d.completed",
        event_type="call.completed",
        origin=Origin.EVENT,
        state=DeliveryState.DELIVERED,
        created_at=_NOON,
        next_attempt_at=None,
        attempts=[AttemptView(1, _NOON, 84, 200, "", "ok")],
    ),
)
