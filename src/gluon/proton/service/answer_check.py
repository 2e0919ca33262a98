"""Whether an answer of a controller can be stored."""

from __future__ import annotations

from msgspec.structs import replace

from gluon.contract.records import Answer
from gluon.schema import Attribute, Proton
from gluon.schema.formats import Mismatch
from gluon.schema.values import compile_check, expected, problem_message

MAX_REASON = 4095
"""Longest reason that is kept, in characters."""


def checked_answer(proton: Proton, answer: Answer) -> Answer:
    """Checks what a shim wrote against the attributes of the proton's port, and shortens a long reason.

    Raises:
        ValueError: says which member is wrong and what was expected.
    """
    port = proton.port.attributes
    _check(port["vif_type"], answer.vif_type or None)
    _check(port["vif_details"], answer.vif_details)
    reason = answer.reason.replace("\0", "")[:MAX_REASON]
    return answer if reason == answer.reason else replace(answer, reason=reason)


def _check(attribute: Attribute, value: object) -> None:
    if value is None:
        return
    try:
        compile_check(attribute)(value)
    except Mismatch as mismatch:
        message = problem_message(expected(attribute), value, mismatch)
        raise ValueError(f"{attribute.name}: {message}") from mismatch
