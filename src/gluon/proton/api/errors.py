"""From an exception to the one error body.

ApiError
├── BadRequest   400: the request itself can't be read
└── TooLarge     413: its body is too long
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from uuid import uuid4

import msgspec
from starlette.responses import Response

from gluon.contract.rest import Error, ErrorBody, ErrorDetail
from gluon.proton.service import (
    ChangedMeanwhile,
    Conflict,
    DatabaseUnavailable,
    Duplicate,
    InUse,
    NotFound,
    ReferenceMissing,
)
from gluon.schema import InvalidAttributes

log = logging.getLogger(__name__)


class ApiError(Exception):
    """Base of the two."""


class BadRequest(ApiError):
    """The request can't be read."""


class TooLarge(ApiError):
    """The body is longer than `[api] max_body_size`."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is longer than {limit} bytes; send less, or have [api] max_body_size raised")


_CODES: dict[type[Exception], tuple[int, str]] = {
    BadRequest: (400, "bad_request"),
    NotFound: (404, "not_found"),
    Duplicate: (409, "duplicate"),
    ReferenceMissing: (409, "reference_missing"),
    InUse: (409, "in_use"),
    Conflict: (409, "conflict"),
    ChangedMeanwhile: (409, "conflict"),
    TooLarge: (413, "too_large"),
    DatabaseUnavailable: (503, "unavailable"),
}
"""Status and code; they hold for subclasses too."""

HTTP_CODES = {404: "not_found", 405: "method_not_allowed"}
"""The codes of errors that routing raises."""


def error_response(error: Exception) -> Response:
    """The answer to a request that failed; an error that nobody expected is logged."""
    if isinstance(error, InvalidAttributes):
        return _response(_invalid(error))
    known = next((_CODES[each] for each in type(error).__mro__ if each in _CODES), None)
    if known is None:
        return _unexpected(error)
    status, code = known
    return _response(Error(status=status, code=code, message=str(error), details=_details(error)))


def routing_response(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """The answer to a request that no route takes."""
    code = HTTP_CODES.get(status, "bad_request" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "internal")
    return _response(Error(status=status, code=code, message=message), headers)


def _details(error: Exception) -> tuple[ErrorDetail, ...]:
    if isinstance(error, ReferenceMissing):
        return (ErrorDetail(attribute=error.attribute, message=str(error)),)
    return ()


def _invalid(error: InvalidAttributes) -> Error:
    details = tuple(ErrorDetail(attribute=p.attribute, message=p.message) for p in error.problems)
    message = f"the request is not valid, so nothing was done: {error}"
    return Error(status=400, code="invalid_attributes", message=message, details=details)


def _unexpected(error: Exception) -> Response:
    request_id = str(uuid4())
    log.error("request %s failed", request_id, exc_info=error)
    message = f"the server failed on this request; its log says why at request id {request_id}"
    return _response(Error(status=500, code="internal", message=message))


def _response(error: Error, headers: dict[str, str] | None = None) -> Response:
    content = msgspec.json.encode(ErrorBody(error))
    return Response(content, error.status, headers, media_type="application/json")
