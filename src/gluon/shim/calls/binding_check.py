"""Whether the answer of `bind_port` can be stored and handed on to Nova."""

from __future__ import annotations

import msgspec

from gluon.contract.records import BINDING_FAILED, UNBOUND
from gluon.shim.backend import Binding
from gluon.shim.calls.foreign import short, told

MAX_VIF_TYPE = 64
MAX_VIF_DETAILS = 4095
"""As BasePort's vif_type and vif_details hold."""


def wrong_binding(answer: object) -> str:
    """What is wrong with the answer of `bind_port`; empty when nothing is."""
    if not isinstance(answer, Binding):
        return f"{short(answer)}, expected gluon.shim.backend.Binding"
    vif_type = answer.vif_type
    if not (isinstance(vif_type, str) and 0 < len(vif_type) <= MAX_VIF_TYPE and vif_type.isprintable()):
        return f"vif_type {short(vif_type)}, expected a name of 1..{MAX_VIF_TYPE} printable characters"
    if answer.vif_type in {UNBOUND, BINDING_FAILED}:
        return f"vif_type {answer.vif_type}; to refuse a port raise gluon.shim.backend.Refused"
    return _wrong_details(answer.vif_details)


def _wrong_details(details: object) -> str:
    if not isinstance(details, dict):
        return f"vif_details {short(details)}, expected a dict"
    try:
        text = msgspec.json.encode(details)
    except Exception as error:  # noqa: BLE001 - foreign objects in it may raise anything
        return f"vif_details that are not JSON: {told(error)}"
    return (
        f"vif_details of {len(text)} bytes, expected at most {MAX_VIF_DETAILS}" if len(text) > MAX_VIF_DETAILS else ""
    )
