"""Checks a JSON body against its Struct before the handler sees it, and says exactly which field is wrong.

Litestar itself would coerce ("5" for 5) and name fields loosely; here a body is what the schema says or a 400 with
field, value and what is allowed. Runs before every handler that takes `data`, after its guards. Part of
`server.rest.api`.
"""

import re
from enum import Enum
from typing import Any, Literal, cast, get_args, get_origin

import msgspec
from litestar import Request
from litestar.enums import RequestEncodingType

from server.rest.problems import FieldError, Problem

LONGEST_ECHO = 100
"""Characters of a wrong value that are sent back."""

SECRET_WORDS = ("password", "secret", "token", "key", "credential")
"""A field whose name holds one of these is never echoed."""

_AT = re.compile(r"^(?P<fault>.*) - at (?P<key>`key` in )?`(?P<path>[^`]*)`$", re.DOTALL)
_NO_TEXT = re.compile(rb"\\u0000|\x00")


async def check_body(request: Request[Any, Any, Any]) -> None:
    """Decode the body strictly when the handler takes one as JSON. Raises Problem 400, 413 and 415."""
    wanted = request.route_handler.parsed_fn_signature.parameters.get("data")
    if wanted is None or _encoding(wanted.kwarg_definition) is not RequestEncodingType.JSON:
        return
    if request.content_type[0] not in ("application/json", ""):
        raise Problem(415, "unsupported_media_type", "Send the body as application/json.")
    body = await request.body()
    if not body and wanted.is_optional:
        return
    check_json(body, wanted.annotation)


def check_json(body: bytes, expected: Any) -> None:
    """Raise Problem 400 unless `body` is JSON of this type."""
    if not body:
        raise Problem(400, "invalid", "This needs a JSON body.", [FieldError("$", "a JSON body")])
    if _NO_TEXT.search(body):
        # Postgres keeps no such text, and nobody writes it.
        raise Problem(400, "invalid", "Text must not hold the character U+0000.", [FieldError("$", "no U+0000")])
    try:
        msgspec.json.decode(body, type=expected)
    except msgspec.ValidationError as error:
        raise _wrong_field(error, body, expected) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise Problem(400, "bad_json", f"The body is not JSON: {error}.") from None


def _encoding(definition: object) -> RequestEncodingType | str:
    return getattr(definition, "media_type", None) or RequestEncodingType.JSON


def _wrong_field(error: msgspec.ValidationError, body: bytes, expected: Any) -> Problem:
    match = _AT.match(str(error))
    fault, path = (match["fault"], match["path"]) if match else (str(error), "$")
    steps = _steps(path)
    field = path.removeprefix("$").removeprefix(".") or "$"
    allowed = _choices(expected, steps, of_key=bool(match and match["key"])) or fault
    value = "" if any(word in field.lower() for word in SECRET_WORDS) else _echo(body, steps)
    return Problem(400, "invalid", f"{field}: {allowed}.", [FieldError(field, allowed, value)])


def _steps(path: str) -> list[str | int]:
    """ "$.services[2].name" -> ["services", 2, "name"]; "[...]" (any key of a mapping) -> "..."."""
    steps: list[str | int] = []
    for name, index in re.findall(r"\.([^.\[\]]+)|\[([^\]]*)\]", path):
        steps.append(name or (int(index) if index.isdigit() else index))
    return steps


def _echo(body: bytes, steps: list[str | int]) -> str:
    """The value at this place as JSON, "" when there is none or it is not short and simple."""
    value: Any = msgspec.json.decode(body)
    for step in steps:
        if isinstance(value, dict) and step in value:
            value = cast(dict[str | int, Any], value)[step]
        elif isinstance(value, list) and isinstance(step, int) and step < len(cast(list[Any], value)):
            value = cast(list[Any], value)[step]
        else:
            return ""
    if isinstance(value, dict | list):
        return ""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= LONGEST_ECHO else ""


def _choices(expected: Any, steps: list[str | int], *, of_key: bool) -> str:
    """What an enumeration or Literal at this place may be, "" when it is something else. of_key: a key of it."""
    for step in steps:
        expected = _inside(expected, step)
    if of_key:
        expected = _mapping_key(expected)
    values = _enumerated(expected)
    return "one of " + ", ".join(values) if values else ""


def _inside(expected: Any, step: str | int) -> Any:
    for kind in (expected, *get_args(expected)):
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
            if step in fields:
                return fields[step]
    arguments = [kind for kind in get_args(expected) if kind is not Ellipsis]
    return arguments[-1] if arguments and get_origin(expected) in (list, tuple, dict, frozenset, set) else None


def _mapping_key(expected: Any) -> Any:
    """The type of the keys of a mapping, however it is annotated."""
    if get_origin(expected) is dict:
        return get_args(expected)[0]
    return next((found for kind in get_args(expected) if (found := _mapping_key(kind)) is not None), None)


def _enumerated(expected: Any) -> list[str]:
    if isinstance(expected, type) and issubclass(expected, Enum):
        return [str(member.value) for member in expected]
    if get_origin(expected) is Literal:
        return [str(value) for value in get_args(expected)]
    return [value for kind in get_args(expected) for value in _enumerated(kind)]
