"""The application on the API port: pages, health and the REST resources, behind one set of rules.

Every resource is a list of Litestar handlers in a module of its own, named once here; what holds for all of them
(authentication, limits, problems, idempotency, entity tags, the schema) is added here and nowhere else. Built by
`server.running`, which mounts it, and by tests.
"""

import warnings
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

import msgspec
from litestar import Litestar, Request, Router
from litestar.di import Provide
from litestar.exceptions import LitestarDeprecationWarning
from litestar.types import ASGIApp, ControllerRouterHandler

from context.security.principal import Principal
from server.rest.auth import Authentication, unauthorized
from server.rest.bodies import check_body
from server.rest.cors import CrossOrigin, cross_origin_paths
from server.rest.etags import EntityTags
from server.rest.headers import add_safe_headers
from server.rest.idempotency import Idempotency
from server.rest.paging import provide_page
from server.rest.problems import EXCEPTION_HANDLERS
from server.rest.reference import SchemaFile, SchemaPage
from server.rest.schema import StructsLater, openapi_config
from server.rest.services import ServiceDoor, Services

PREFIX = "/v1"

LARGEST_BODY_BYTES = 1_000_000
"""Product facts, section 2; a handler that takes audio says so itself."""

RESOURCES = (
    "server.rest.audit",
    "server.rest.keys",
    "server.rest.calls",
    "server.rest.bookings",
    "server.rest.events",
    "server.rest.contacts",
    "server.rest.contexts",
    "server.rest.respond",
    "server.rest.qualify",
    "server.rest.speech",
    "server.rest.knowledge",
    "server.rest.usage",
    "server.rest.webhooks",
    "server.rest.login",
    "server.rest.login_flow",
    "server.rest.users",
    "server.rest.connections",
    "server.rest.tenants",
    "server.rest.personas",
    "server.rest.numbers",
)
"""Modules of resources; each has `handlers`, and may have `EXAMPLES`: Structs shown in the schema as examples."""


def rest_app(door: ServiceDoor, pages: Iterable[ControllerRouterHandler] = ()) -> Litestar:
    """The application. door: where the services come from once they are built. pages: handlers outside /v1."""
    return application(door, resource_handlers(), pages)


def resource_handlers() -> list[ControllerRouterHandler]:
    """The handlers of every resource."""
    return [handler for module in RESOURCES for handler in import_module(module).handlers]


def resource_examples() -> list[msgspec.Struct]:
    """The example bodies of every resource: its module's `EXAMPLES`, if it has some."""
    return [example for module in RESOURCES for example in getattr(import_module(module), "EXAMPLES", ())]


def application(
    door: ServiceDoor, resources: Sequence[ControllerRouterHandler], pages: Iterable[ControllerRouterHandler] = ()
) -> Litestar:
    """The application with these resources: for tests of the rules; `rest_app` has them all."""

    async def provide_services() -> Services:
        return door.services

    def authentication(app: ASGIApp) -> ASGIApp:
        return Authentication(app, door)

    def idempotency(app: ASGIApp) -> ASGIApp:
        return Idempotency(app, door)

    widget_paths: set[str] = set()

    def cross_origin(app: ASGIApp) -> ASGIApp:
        return CrossOrigin(app, door, widget_paths)

    with warnings.catch_warnings():
        # Litestar 3 will want its dependencies marked; until it is here the marks would only be noise.
        warnings.simplefilter("ignore", LitestarDeprecationWarning)
        router = Router(
            PREFIX,
            route_handlers=resources,
            middleware=[cross_origin, authentication, idempotency, EntityTags],
            before_request=check_body,
        )
        app = Litestar(
            [router, *pages],
            dependencies={
                "services": Provide(provide_services),
                "principal": Provide(provide_principal, sync_to_thread=False),
                "page": Provide(provide_page),
            },
            before_send=[add_safe_headers],
            exception_handlers=EXCEPTION_HANDLERS,
            openapi_config=openapi_config([SchemaPage(resource_examples), SchemaFile(resource_examples)]),
            plugins=[StructsLater()],
            logging_config=None,
            request_max_body_size=LARGEST_BODY_BYTES,
        )
    widget_paths.update(cross_origin_paths(app))
    return app


def provide_principal(request: Request[Any, Any, Any]) -> Principal:
    """Dependency `principal`. Raises Problem 401 in a public handler that was called without credentials."""
    principal = request.scope.get("user")
    if not isinstance(principal, Principal):
        raise unauthorized("This needs an API key or a signed-in user.")
    return principal
