"""From an exception to the one error body.

ApiError
├── BadRequest             400: the request itself can't be read
├── PreconditionRefused    412: it has a condition that can't be checked there
├── TooLarge               413: its body is too long
└── UnsupportedMediaType   415: its body is not said to be JSON
"""

from __future__ import annotations

import logging
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from gluon.contract.rest import Error, ErrorBody, ErrorDetail
from gluon.process import request_id
from gluon.proton.service import (
    ChangedMeanwhile,
    Conflict,
    DatabaseUnavailable,
    Duplicate,
    InUse,
    NotFound,
    PreconditionFailed,
    ReferenceMissing,
    Taken,
)
from gluon.schema import InvalidAttributes

log = logging.getLogger(__name__)


class ApiError(Exception):
    """Base of them."""


class BadRequest(ApiError):
    """The request can't be read."""


class PreconditionRefused(ApiError):
    """There is a condition, and nothing with an ETag that it could be about."""


class UnsupportedMediaType(ApiError):
    """The body is not `application/json`.

    Not only tidy: a browser sends `text/plain` to any server, for any page, but asks before it sends JSON.
    """


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
    Taken: (409, "duplicate"),
    Conflict: (409, "conflict"),
    ChangedMeanwhile: (409, "conflict"),
    PreconditionFailed: (412, "precondition_failed"),
    PreconditionRefused: (412, "precondition_failed"),
    TooLarge: (413, "too_large"),
    UnsupportedMediaType: (415, "unsupported_media_type"),
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
    if isinstance(error, Taken):
        return tuple(ErrorDetail(attribute=name, message=str(error)) for name in error.attributes)
    return ()


def _invalid(error: InvalidAttributes) -> Error:
    details = tuple(ErrorDetail(attribute=p.attribute, message=p.message) for p in error.problems)
    message = f"the request is not valid, so nothing was done: {error}"
    return Error(status=400, code="invalid_attributes", message=message, details=details)


def _unexpected(error: Exception) -> Response:
    log.error("the request failed", exc_info=error)
    message = f"the server failed on this request; its log says why at request id {request_id.current()}"
    return _response(Error(status=500, code="internal", message=message))


def _response(error: Error, headers: dict[str, str] | None = None) -> Response:
    content = msgspec.json.encode(ErrorBody(error))
    return Response(content, error.status, headers, media_type="application/json")
