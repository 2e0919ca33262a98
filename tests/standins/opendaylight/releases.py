"""What differs between the releases beside their models: RESTCONF's flavours and its statuses."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from .schema import Schema, schema_of

DRAFT02, RFC8040 = "draft02", "rfc8040"
"""The flavours of RESTCONF: draft-bierman-02 and RFC 8040."""
DIALECTS = ("A", "B1", "B2", "C", "D", "E")


@dataclass(frozen=True)
class Release:
    """How an OpenDaylight of one dialect answers."""

    dialect: str
    schema: Schema
    flavours: tuple[str, ...]
    absent: HTTPStatus = HTTPStatus.NOT_FOUND
    """The status where there are no data."""
    wrong_rests_url: HTTPStatus = HTTPStatus.BAD_REQUEST
    """The status of `/rests` for a trailing slash, a missing key, an unknown module or one's unknown top node."""
    rests_errors_have_bodies: bool = True
    rests_errors_name: str = "errors"
    looks_at_modules_of_bodies: bool = True
    """Whether the outermost name of a body must have the right module, if it has one."""
    rests_shares_a_transaction_chain: bool = False
    """At `/rests` another request meanwhile is answered 500, though it may have been stored, and a transaction that
    failed is in the way of the next request."""


def release_of(dialect: str, flavours: tuple[str, ...] | None, *, associations: bool | None) -> Release:
    """None stands for what the dialect's releases have."""
    schema = schema_of(dialect, associations=dialect == "E" if associations is None else associations)
    match dialect:
        case "A" | "B1" | "B2":
            return Release(dialect, schema, flavours or (DRAFT02,))
        case "C":  # as Neon; the releases before it have draft-02 alone
            return Release(
                dialect,
                schema,
                flavours or (DRAFT02, RFC8040),
                wrong_rests_url=HTTPStatus.INTERNAL_SERVER_ERROR,
                rests_errors_have_bodies=False,
                looks_at_modules_of_bodies=False,
                rests_shares_a_transaction_chain=True,
            )
        case "D":
            return Release(dialect, schema, flavours or (DRAFT02, RFC8040))
        case "E":
            return Release(
                dialect,
                schema,
                flavours or (DRAFT02, RFC8040),
                absent=HTTPStatus.CONFLICT,
                rests_errors_name="ietf-restconf:errors",
            )
        case "modern":
            return Release(
                dialect,
                schema,
                flavours or (RFC8040,),
                absent=HTTPStatus.CONFLICT,
                rests_errors_name="ietf-restconf:errors",
            )
    raise ValueError(f"{dialect} is none of {', '.join(DIALECTS)}, modern")
