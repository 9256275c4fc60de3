"""Errors as clients see them: RFC 9457 problem details with a stable code.

Resources raise `Problem`; errors of the other rooms become problems by their code. What nobody foresaw is logged under
an id and answered with that id alone. Called by `server.rest.api` for every exception of a request.
"""

import secrets
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from context.errors import ContextError
from context.tenants.errors import TenantInvalidError
from voice_core.errors import VoiceError

PROBLEM_MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:parley:problem:"
RETRY_AFTER_S = 5
"""When a client may ask again after a 503."""

ERROR_ID_BYTES = 6

STATUS_OF_CODE: dict[str, int] = {
    "store_failed": 503,
    "store_too_new": 503,
    "bad_master_key": 503,
    "vault_tampered": 503,
    "store_conflict": 409,
    "engine_failed": 503,
    "engine_unavailable": 503,
    "bad_audio": 400,
    "tenant_suspended": 403,
    "unknown_tenant": 401,
    "csrf_refused": 403,
    "tenant_exists": 409,
    "number_taken": 409,
    "managed_by_file": 409,
    "version_mismatch": 412,
    "tenant_state": 409,
    "call_not_found": 404,
    "contact_not_found": 404,
    "key_not_found": 404,
    "key_ended": 409,
    "user_not_found": 404,
    "webhook_not_found": 404,
    "webhook_delivery_not_found": 404,
    "conversation_not_found": 404,
    "conversation_ended": 409,
    "conversation_busy": 409,
    "too_many_conversations": 429,
    "memory_unreadable": 409,
}
"""Errors of the other rooms whose status is not `OTHERWISE`."""

OTHERWISE = 422
"""Status of an error that another room raised on purpose: the request was understood and cannot be done."""

CODE_OF_STATUS: dict[int, str] = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
    503: "unavailable",
}

log = structlog.get_logger(__name__)


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with one field. field: its path, such as "services[2].minutes". value: as it was sent, as JSON
    text, left out when it is secret, long or missing. allowed: what would be right."""

    field: str
    allowed: str
    value: str = ""


class ProblemBody(msgspec.Struct, frozen=True):
    """An error (RFC 9457). code: stable, for programs. detail: for people. errors: each field that is wrong."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: tuple[FieldError, ...] = ()


class Problem(Exception):  # noqa: N818 - RFC 9457's own word
    """An answer that is an error. headers: sent besides."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = headers or {}


def not_found(what: str) -> Problem:
    """The answer for a resource that is not there, or is another tenant's. what: such as "call"."""
    return Problem(404, "not_found", f"There is no such {what}.")


def bad_field(field: str, allowed: str, value: str = "") -> Problem:
    """The answer for one wrong field."""
    return Problem(400, "invalid", f"{field}: {allowed}.", [FieldError(field, allowed, value)])


def body_of(problem: Problem) -> ProblemBody:
    """The problem as clients see it."""
    return ProblemBody(
        TYPE_PREFIX + problem.code,
        HTTPStatus(problem.status).phrase,
        problem.status,
        problem.code,
        problem.detail,
        problem.errors,
    )


def problem_response(problem: Problem) -> Response[bytes]:
    """The problem as it is sent."""
    return Response(
        msgspec.json.encode(body_of(problem)),
        status_code=problem.status,
        media_type=PROBLEM_MEDIA_TYPE,
        headers=problem.headers,
    )


def answer_problem(_: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    """Handler of `Problem`."""
    return problem_response(problem)


def answer_known(_: Request[Any, Any, Any], error: ContextError | VoiceError) -> Response[bytes]:
    """Handler of what the other rooms raise on purpose."""
    return problem_response(problem_of(error))


def problem_of(error: ContextError | VoiceError) -> Problem:
    """What another room raised on purpose: its code and words, but nothing of a failed machine."""
    status = STATUS_OF_CODE.get(error.code, OTHERWISE)
    if status >= 500:
        log.error("request_failed", code=error.code, error=type(error).__name__, exc_info=error)
        detail = "Parley cannot do this at the moment; try again."
        return Problem(status, error.code, detail, headers={"Retry-After": str(RETRY_AFTER_S)})
    faults = error.faults if isinstance(error, TenantInvalidError) else ()
    errors = [FieldError(fault.path.removeprefix("$."), fault.allowed, fault.value) for fault in faults]
    return Problem(status, error.code, str(error), errors)


def answer_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Handler of what Litestar raises: unknown paths and methods, bodies too large, wrong parameters."""
    if error.status_code >= 500:
        return answer_unforeseen(request, error)
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        errors = [_parameter_error(request, fault) for fault in error.extra if isinstance(fault, dict)]
        return problem_response(Problem(400, "invalid", _in_words(errors), errors))
    code = CODE_OF_STATUS.get(error.status_code, "bad_request")
    detail = {
        404: "There is nothing at this address.",
        405: "This address does not know this method.",
        413: "The body is larger than is taken here.",
    }.get(error.status_code, error.detail)
    return problem_response(Problem(error.status_code, code, detail, headers=dict(error.headers or {})))


def answer_unforeseen(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Handler of everything else: the details are for the log."""
    error_id = secrets.token_hex(ERROR_ID_BYTES)
    log.error("request_crashed", error_id=error_id, error=type(error).__name__, exc_info=error)
    return problem_response(Problem(500, "internal", f"Parley failed; its log says why under the id {error_id}."))


def _parameter_error(request: Request[Any, Any, Any], fault: dict[str, Any]) -> FieldError:
    field = str(fault.get("key", "$"))
    value = request.query_params.get(field)
    return FieldError(field, str(fault.get("message", "not this")), "" if value is None else value)


def _in_words(errors: Sequence[FieldError]) -> str:
    return " ".join(f"{error.field}: {error.allowed}." for error in errors) or "The request is not valid."


EXCEPTION_HANDLERS: dict[int | type[Exception], Callable[..., Response[bytes]]] = {
    Problem: answer_problem,
    ContextError: answer_known,
    VoiceError: answer_known,
    HTTPException: answer_http,
    Exception: answer_unforeseen,
}
"""For Litestar: exception -> handler."""
