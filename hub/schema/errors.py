"""Errors as the API shows them: our own templates, a stable code, nothing the caller did not send."""

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import get_location

from hub.engine.faults import FieldFault
from hub.errors import HubError, RequestError

STATUS: Mapping[str, int] = {
    "UNAUTHENTICATED": 401,
    "ACTOR_INVALID": 401,
    "FORBIDDEN": 403,
    "PURPOSE_REQUIRED": 400,
    "PURPOSE_NOT_ALLOWED": 403,
    "BAD_REQUEST": 400,
    "GRAPHQL_PARSE_FAILED": 400,
    "GRAPHQL_VALIDATION_FAILED": 400,
    "COST_LIMIT": 400,
    "METHOD_NOT_ALLOWED": 405,
    "NOT_ACCEPTABLE": 406,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "RATE_LIMITED": 429,
    "AUDIT_UNAVAILABLE": 503,
    "ISSUER_UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
    "INTERNAL": 500,
}
"""Every code an answer may carry, with its status under `application/graphql-response+json`."""

EVERY_STATUS: Mapping[str, int] = {**STATUS, "NOT_FOUND": 404, "FORMAT_UNAVAILABLE": 501}
"""With the codes that only paths beside `/graphql` answer with."""

MAX_ERRORS = 5


def request_error(error: HubError) -> dict[str, Any]:
    """The one error of an answer without data."""
    code = error.code if isinstance(error, RequestError) else "INTERNAL"
    public = error.public if isinstance(error, RequestError) else HubError.public
    return {"message": public, "extensions": {"code": code}}


def field_errors(faults: Sequence[FieldFault]) -> list[dict[str, Any]]:
    """Errors of single fields, at most `MAX_ERRORS`, in path order, each with the places the caller asked from."""
    return [_field_error(fault) for fault in faults[:MAX_ERRORS]]


def _field_error(fault: FieldFault) -> dict[str, Any]:
    shown = request_error(fault.error if isinstance(fault.error, HubError) else HubError())
    places = [get_location(node.loc.source, node.loc.start) for node in fault.nodes if node.loc is not None]
    if places:
        shown["locations"] = [{"line": place.line, "column": place.column} for place in places]
    if fault.path:
        shown["path"] = list(fault.path)
    return shown
