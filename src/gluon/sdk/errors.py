"""The errors of a call to the API.

ClientError
├── UsageError              nothing was sent: no such proton or resource, no usable key, ...
├── RequestRefused          4xx: the server changed nothing; the request must change
│   ├── NotFound            404
│   └── Conflict            409: a duplicate, still in use, a missing reference
├── ServerFailed            5xx: the same request may succeed later
├── ServerUnreachable       no connection: nothing was sent
├── NoAnswer                sent, and no answer came: it may have been carried out
└── UnexpectedAnswer        whatever answered does not speak this API
"""

from __future__ import annotations

from http import HTTPStatus

from gluon.contract.rest import Error, ErrorDetail


class ClientError(Exception):
    """Base of all; its text is a sentence for a person."""


class UsageError(ClientError):
    """The call can't be sent as it is; nothing was."""


class ServerUnreachable(ClientError):
    """No connection to the server; nothing was sent."""


class NoAnswer(ClientError):
    """The request was sent, and no answer came: the server may have carried it out."""


class UnexpectedAnswer(ClientError):
    """Something answered, but not as a proton-server of this version does."""


class _ErrorAnswer(ClientError):
    """An answer from 400 on."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.message)
        self.status = error.status
        """The HTTP status."""
        self.code = error.code
        """One word for programs; `gluon.contract.rest.Error.code` lists them."""
        self.message = error.message
        self.details: tuple[ErrorDetail, ...] = error.details
        """One for each attribute that was refused."""

    def __str__(self) -> str:
        """The message, and a line for each detail that it doesn't repeat anyway."""
        details = [d for d in self.details if d.message not in self.message]
        return "\n".join([self.message, *(f"  {d.attribute}: {d.message}" for d in details)])


class RequestRefused(_ErrorAnswer):
    """The server refused the request (4xx) and changed nothing."""


class NotFound(RequestRefused):
    """There is no such object (404)."""


class Conflict(RequestRefused):
    """The request contradicts the objects that exist (409): duplicate, in use, missing reference."""


class ServerFailed(_ErrorAnswer):
    """The server could not do it (5xx); the same request may succeed later."""


def error_answer(error: Error) -> ClientError:
    """The exception for an answer from 400 on."""
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServerFailed(error)
    return {404: NotFound, 409: Conflict}.get(error.status, RequestRefused)(error)
