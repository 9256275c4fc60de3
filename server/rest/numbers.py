"""How callers reach a tenant, over REST: its telephone numbers and the web origins of its widget.

A number reaches one tenant only; the database itself sees to that. Part of `server.rest.api`.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from litestar import Controller, delete, get, post
from litestar.params import Parameter
from litestar.types import ControllerRouterHandler

from context.security.principal import Principal, Scope
from context.tenants.numbers import e164, origin_of
from server.rest.auth import requires, tenant_of
from server.rest.own_tenant import change_config, detail_of
from server.rest.problems import FieldError, Problem, not_found
from server.rest.services import Services

LONGEST_NUMBER = 40
LONGEST_ORIGIN = 260


class NumberBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number that reaches the agent: international, or as it is written in the tenant's country."""

    number: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NUMBER)]


class NumberView(msgspec.Struct, frozen=True):
    """A number that reaches the agent (E.164)."""

    number: str


class OriginBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A web origin whose pages may hold the widget: scheme, host and port."""

    origin: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_ORIGIN)]


class OriginView(msgspec.Struct, frozen=True):
    """A web origin whose pages may hold the widget."""

    origin: str


class Numbers(Controller):
    """Telephone numbers of the tenant."""

    path = "/numbers"
    tags: Sequence[str] = ["numbers"]  # pyright: ignore[reportIncompatibleVariableOverride]

    @get("/", guards=[requires(Scope.TENANT_READ)], summary="List numbers")
    async def list_numbers(self, principal: Principal, services: Services) -> list[NumberView]:
        """The numbers that reach the tenant."""
        detail = await detail_of(services, tenant_of(principal))
        return [NumberView(number) for number in detail.config.numbers]

    @post("/", guards=[requires(Scope.TENANT_WRITE)], summary="Add a number")
    async def add_number(self, data: NumberBody, principal: Principal, services: Services) -> NumberView:
        """Calls to it reach the tenant from now on. 409 `number_taken` when it reaches another one."""
        detail = await detail_of(services, tenant_of(principal))
        number = e164(data.number, detail.config.country)
        if not number:
            allowed = "a telephone number such as +33142000000"
            raise Problem(400, "invalid", f"number: expected {allowed}.", [FieldError("number", allowed)])
        if number not in detail.config.numbers:
            await change_config(services, principal, detail, {"numbers": [*detail.config.numbers, number]})
        return NumberView(number)

    @delete("/{number:str}", status_code=200, guards=[requires(Scope.TENANT_WRITE)], summary="Take a number away")
    async def delete_number(self, number: str, principal: Principal, services: Services) -> NumberView:
        """Calls to it reach nobody from now on. number: E.164, with its plus sign."""
        detail = await detail_of(services, tenant_of(principal))
        if number not in detail.config.numbers:
            raise not_found("number")
        left = [one for one in detail.config.numbers if one != number]
        await change_config(services, principal, detail, {"numbers": left})
        return NumberView(number)


class Origins(Controller):
    """Web origins of the tenant's widget."""

    path = "/origins"
    tags: Sequence[str] = ["numbers"]  # pyright: ignore[reportIncompatibleVariableOverride]

    @get("/", guards=[requires(Scope.TENANT_READ)], summary="List origins")
    async def list_origins(self, principal: Principal, services: Services) -> list[OriginView]:
        """The web origins whose pages may hold the widget."""
        detail = await detail_of(services, tenant_of(principal))
        return [OriginView(origin) for origin in detail.config.origins]

    @post("/", guards=[requires(Scope.TENANT_WRITE)], summary="Add an origin")
    async def add_origin(self, data: OriginBody, principal: Principal, services: Services) -> OriginView:
        """Pages of it may hold the widget; a widget key is bound to its origins when it is made."""
        detail = await detail_of(services, tenant_of(principal))
        origin = origin_of(data.origin)
        if not origin:
            allowed = "a web origin such as https://shop.example"
            raise Problem(400, "invalid", f"origin: expected {allowed}.", [FieldError("origin", allowed)])
        if origin not in detail.config.origins:
            await change_config(services, principal, detail, {"origins": [*detail.config.origins, origin]})
        return OriginView(origin)

    @delete("/", status_code=200, guards=[requires(Scope.TENANT_WRITE)], summary="Take an origin away")
    async def delete_origin(
        self,
        principal: Principal,
        services: Services,
        origin: Annotated[str, Parameter(description="As it is listed.", max_length=LONGEST_ORIGIN)],
    ) -> OriginView:
        """Pages of it may not hold the widget any more."""
        detail = await detail_of(services, tenant_of(principal))
        if origin not in detail.config.origins:
            raise not_found("origin")
        left = [one for one in detail.config.origins if one != origin]
        await change_config(services, principal, detail, {"origins": left})
        return OriginView(origin)


handlers: Sequence[ControllerRouterHandler] = (Numbers, Origins)

EXAMPLES = (NumberBody("+33186950150"), OriginBody("https://lumiere.example"))
