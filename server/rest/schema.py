"""The description of the API: OpenAPI 3.1, generated from the handlers and completed with what holds for all of them.

Litestar describes paths, parameters and bodies; added here are the ways to authenticate, the scope that an operation
needs, the headers that every operation knows, problem answers and examples. Served as /schema/openapi.json; the client
is generated from it. Made once by `server.rest.api`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

import msgspec
from litestar import Litestar, Response
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.plugins import OpenAPISchemaPlugin
from litestar.response import Stream
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition

from server.rest.auth import SESSION_COOKIES, TENANT_HEADER, UNSAFE_METHODS
from server.rest.idempotency import HEADER as IDEMPOTENCY_HEADER
from server.rest.problems import PROBLEM_MEDIA_TYPE

VERSION = "1.0.0"
"""Of the interface, not of Parley: its first number changes when a client would break."""

JSON = "application/json"

PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "type": "object",
    "description": "An error (RFC 9457). `code` is stable and meant for programs, `detail` for people.",
    "required": ["type", "title", "status", "code", "detail", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "Each field that is wrong.",
            "items": {
                "type": "object",
                "required": ["field", "allowed"],
                "properties": {
                    "field": {"type": "string"},
                    "allowed": {"type": "string"},
                    "value": {"type": "string"},
                },
            },
        },
    },
    "examples": [
        {
            "type": "urn:parley:problem:invalid",
            "title": "Bad Request",
            "status": 400,
            "code": "invalid",
            "detail": "limit: Expected `int` <= 100.",
            "errors": [{"field": "limit", "allowed": "Expected `int` <= 100", "value": "500"}],
        }
    ],
}

_MEANINGS = {
    "400": "The request is not valid; `errors` names the fields.",
    "401": "No API key or session, or it opens nothing.",
    "403": "The key or user lacks the scope, or the tenant is suspended.",
    "404": "There is no such thing, or it is another tenant's.",
    "409": "It clashes with what is there.",
    "412": "It was changed since it was read (`If-Match`).",
    "413": "The body is too large.",
    "415": "The body has a media type that is not taken here.",
    "422": "The request is understood and cannot be done.",
    "429": "Too many requests; `Retry-After` says when to come back.",
    "503": "Parley is starting, stopping or has lost its database; `Retry-After` says when to come back.",
    "default": "Any other error.",
}

_TENANT: dict[str, Any] = {
    "name": TENANT_HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 200},
    "description": "The tenant meant, for an operator's key. Other keys belong to one tenant.",
}
_IDEMPOTENCY: dict[str, Any] = {
    "name": IDEMPOTENCY_HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[ -~]+$"},
    "description": "Makes a repetition harmless: the same key and request within 24 h get the same answer again.",
}
_IF_NONE_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "`ETag` of the answer that you have: 304 when it is still the newest.",
}


class StructsLater(OpenAPISchemaPlugin):
    """Leaves Structs to `described`: msgspec says exactly what it accepts, Litestar only roughly."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Every Struct."""
        return not field_definition.is_union and field_definition.is_subclass_of(msgspec.Struct)

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        """A place to be filled."""
        return Schema(type=OpenAPIType.OBJECT)


def openapi_config(plugins: Sequence[OpenAPIRenderPlugin]) -> OpenAPIConfig:
    """For Litestar. plugins: what is served at /schema."""
    return OpenAPIConfig(
        title="Parley",
        version=VERSION,
        description="Voice agents: calls, bookings, contacts, knowledge and everything around them.",
        use_handler_docstrings=True,
        path="/schema",
        render_plugins=plugins,
    )


def described(app: Litestar, examples: Sequence[msgspec.Struct] = ()) -> dict[str, Any]:
    """The whole document of `app`. examples: one of each kind of body that should have one."""
    document: dict[str, Any] = msgspec.to_builtins(app.openapi_schema.to_schema(), str_keys=True)
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key, pk_..."},
        "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIES[1], "description": "A signed-in user."},
    }
    document["security"] = [{"key": []}, {"session": []}]
    operations = list(_operations(app, document))
    # Litestar's own components are what parameters refer to: enumerations.
    schemas = components["schemas"] = {**components.get("schemas", {}), **_describe_bodies(operations)}
    used = msgspec.json.encode(document).decode()
    for name in [name for name in schemas if f'"#/components/schemas/{name}"' not in used]:
        del schemas[name]
    schemas["Problem"] = PROBLEM_SCHEMA
    content = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    components["responses"] = {
        f"Problem{status}": {"description": meaning, "content": content} for status, meaning in _MEANINGS.items()
    }
    _add_examples(schemas, examples)
    names = Counter(handler.handler_name for _, handler, _ in operations)
    for method, handler, operation in operations:
        name = handler.handler_name
        tags = operation.get("tags", ["other"])
        operation["operationId"] = name if names[name] == 1 else f"{name}_{tags[0]}".replace(" ", "_")
        _complete(operation, method, handler)
    document.pop("servers", None)
    return document


def _operations(app: Litestar, document: dict[str, Any]) -> Iterator[tuple[str, HTTPRouteHandler, dict[str, Any]]]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            for method in sorted(handler.http_methods):
                operation = document["paths"].get(route.path_format, {}).get(method.lower())
                if operation is not None:
                    yield method, handler, operation


def _describe_bodies(operations: Sequence[tuple[str, HTTPRouteHandler, dict[str, Any]]]) -> dict[str, Any]:
    """Put msgspec's own schema of every JSON body into its place; the components that they refer to."""
    places: list[tuple[dict[str, Any], Any]] = []
    for _, handler, operation in operations:
        data = handler.parsed_fn_signature.parameters.get("data")
        taken = operation.get("requestBody", {}).get("content", {}).get(JSON)
        if data is not None and taken is not None:
            places.append((taken, data.annotation))
        for status, answer in operation.get("responses", {}).items():
            given = answer.get("content", {}).get(JSON)
            kind = _answered(handler, int(status)) if status.startswith("2") else None
            if given is not None and kind is not None:
                places.append((given, kind))
    schemas, components = msgspec.json.schema_components(
        [kind for _, kind in places], ref_template="#/components/schemas/{name}"
    )
    for (place, _), schema in zip(places, schemas, strict=True):
        place["schema"] = schema
    return components


def _answered(handler: HTTPRouteHandler, status: int) -> Any:
    """The type of a successful JSON answer, None when the handler does not say."""
    spec = (handler.responses or {}).get(status)
    if spec is not None:
        return spec.data_container
    returned = handler.parsed_fn_signature.return_type.annotation
    if get_origin(returned) is Response:
        returned = get_args(returned)[0]
    return None if returned is None or returned is type(None) or get_origin(returned) is Stream else returned


def _complete(operation: dict[str, Any], method: str, handler: HTTPRouteHandler) -> None:
    public = "public" in handler.opt
    parameters: list[dict[str, Any]] = operation.setdefault("parameters", [])
    given = {parameter["name"].lower() for parameter in parameters if "name" in parameter}
    added = [] if public else [_TENANT]
    if method in UNSAFE_METHODS and not public:
        added.append(_IDEMPOTENCY)
    if method == "GET":
        added.append(_IF_NONE_MATCH)
    parameters.extend(dict(parameter) for parameter in added if parameter["name"].lower() not in given)
    if public:
        operation["security"] = []
    if "request_body" in handler.opt:
        operation["requestBody"] = handler.opt["request_body"]
    scopes = [guard.permission.value for guard in handler.resolve_guards() if hasattr(guard, "permission")]  # type: ignore[attr-defined]
    if scopes:
        operation["x-scopes"] = scopes
        needs = f"Needs the scope `{'`, `'.join(scopes)}`."
        operation["description"] = f"{operation.get('description', '').strip()}\n\n{needs}".strip()
    _add_answers(operation, method, public=public)


def _add_answers(operation: dict[str, Any], method: str, *, public: bool) -> None:
    answers: dict[str, Any] = operation.setdefault("responses", {})
    if JSON in answers.get("400", {}).get("content", {}):
        del answers["400"]  # Litestar's own error body, which is never sent
    if method == "GET" and JSON in answers.get("200", {}).get("content", {}):
        answers["304"] = {"description": "What you have is the newest."}
    statuses = ["400", "429", "503", "default"]
    if not public:
        statuses += ["401", "403", "404"]
    if method in UNSAFE_METHODS:
        statuses += ["409", "412", "413", "415", "422"]
    for status in statuses:
        answers.setdefault(status, {"$ref": f"#/components/responses/Problem{status}"})


def _add_examples(schemas: Mapping[str, dict[str, Any]], examples: Sequence[msgspec.Struct]) -> None:
    by_title = {schema.get("title", name): schema for name, schema in schemas.items()}
    for example in examples:
        schema = by_title.get(type(example).__name__)
        if schema is not None:
            schema.setdefault("examples", []).append(msgspec.to_builtins(example, str_keys=True))
