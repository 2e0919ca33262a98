"""Request bodies in, response bodies out."""

from __future__ import annotations

import json
from email.message import Message
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gluon.proton.api.errors import BadRequest, TooLarge, UnsupportedMediaType
from gluon.proton.service import Stored
from gluon.schema import Value

_encoder = msgspec.json.Encoder()


async def read_object(request: Request, limit: int) -> dict[str, Value]:
    """The request's body: a JSON object.

    Args:
        request: not read from so far.
        limit: most bytes.

    Raises:
        UnsupportedMediaType: it is not said to be JSON, or is encoded.
        TooLarge: it has more.
        BadRequest: not JSON, a member given twice, or no object.
    """
    _require_json(request)
    body = await _read(request, limit)
    try:
        decoded = msgspec.json.decode(body)
        # msgspec keeps the last of two members with the same name; nobody can tell which one the
        # client meant, so such a body is refused.  The standard library's parser lets us see both.
        json.loads(body, object_pairs_hook=_refuse_duplicates)
    except RecursionError as error:
        raise BadRequest("the body is nested too deeply; send a flat JSON object") from error
    except ValueError as error:
        raise BadRequest(f"the body is not JSON: {_printable(str(error))}") from error
    if not isinstance(decoded, dict):
        raise BadRequest('the body must be a JSON object, e.g. {"name": "p1"}')
    return decoded


def json_response(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer with `content` as its JSON body."""
    return Response(_encoder.encode(content), status, headers, media_type="application/json")


def shown(stored: Stored) -> dict[str, Value]:
    """An object as clients see it."""
    return {
        **stored.attributes,
        "created_at": stored.created_at,
        "updated_at": stored.updated_at,
        "status_reason": stored.status_reason,
        "revision_number": stored.revision,
    }


def _require_json(request: Request) -> None:
    types = request.headers.getlist("content-type")
    length = request.headers.get("content-length")
    if not types and length in (None, "0") and "transfer-encoding" not in request.headers:
        return  # There is no body, which is said in other words.
    if len(types) != 1 or not _is_json(types[0]):
        raise UnsupportedMediaType(
            f"the body is {_printable(types[0][:80]) if types else 'of a type that is not named'}; send JSON, with "
            "Content-Type: application/json"
        )
    encodings = ", ".join(request.headers.getlist("content-encoding")).strip().lower()
    if encodings not in ("", "identity"):
        raise UnsupportedMediaType(
            f"the body is encoded ({_printable(encodings[:80])}); send it without Content-Encoding"
        )


LONGEST_MEDIA_TYPE = 256
"""Characters beyond which a Content-Type is not taken apart."""


def _is_json(media_type: str) -> bool:
    if len(media_type) > LONGEST_MEDIA_TYPE:
        return False
    message = Message()
    message["content-type"] = media_type
    charset = message.get_param("charset", "utf-8")
    essence = media_type.partition(";")[0].strip().lower()
    return essence == "application/json" and isinstance(charset, str) and charset.lower() in ("utf-8", "utf8")


async def _read(request: Request, limit: int) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise TooLarge(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLarge(limit)
    return bytes(body)


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"member {name!r} is given twice")
            seen.add(name)
    return members


def _printable(text: str) -> str:
    return text.encode(errors="replace").decode()
