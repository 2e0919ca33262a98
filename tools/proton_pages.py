"""A page for each shipped proton, made from its model: objects, attributes, rules, an example of each object."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from gluon.contract import rest
from gluon.models import catalog
from gluon.schema import Attribute, AttributeType, Base, ObjectType, Proton, validate_attributes

MADE_AT = "2026-01-31T12:00:00Z"
"""Stands for the moment of a create."""

PROTONS = ("net-l3vpn", "ietf-sfc", "test")

CALLBACKS = {
    Base.PORT: "`bind_port`, `unbind_port`, `modify_port`, `delete_port`",
    Base.INTERFACE: "`modify_interface`, `delete_interface`",
    Base.SERVICE: "`modify_service`, `delete_service`",
    Base.SERVICE_BINDING: "`modify_service_binding`, `delete_service_binding`",
    Base.OBJECT: "`modify_object`, `delete_object`",
}

_COMMON = """\
Each object also has `created_at` and `updated_at`; `status_reason`, which says why a controller has
not applied it, null while nothing is wrong; and `revision_number`, which grows with each change.
Types and formats are explained in [the modelling language](../model-language.md), requests and errors
in [the REST reference](../rest.md)."""

_TENANT = "8e0f9e5a-3c55-4d7e-9a35-0d6c1a5c7a11"

_CHOSEN: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("net-l3vpn", "VpnService"): {"ipv4_family": "65000:100", "route_distinguishers": "65000:100"},
    ("net-l3vpn", "VpnBinding"): {"ipaddress": "10.0.0.10", "subnet_prefix": 24, "gateway": "10.0.0.1"},
    ("net-l3vpn", "DataplaneTunnel"): {"remote_tunnel_endpoint": "192.0.2.9"},
    ("net-l3vpn", "BGPPeering"): {"peer_ip_address": "192.0.2.9"},
}
"""Values of an example that its format alone does not lead to."""

_SECOND: Mapping[Base, Mapping[str, Any]] = {
    Base.INTERFACE: {"segmentation_type": "vlan", "segmentation_id": 100},
}
"""A port has an untagged interface already, which came with it."""

_BY_FORMAT: Mapping[str, Any] = {
    "mac": "fa:16:3e:00:00:01", "ip": "192.0.2.1", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1",
    "route-target": "65000:100", "cidr": "192.0.2.0/24",
}  # fmt: skip


def proton_page(name: str, made: str) -> str:
    """The page of one proton.

    Args:
        name: the proton's.
        made: how the page is made, for its first lines.
    """
    proton = catalog.load([name])[name]
    lines = [f"# The proton {name}", "", f"{proton.info.description}. This page is {made} from the model.", ""]
    lines += ["| object | commands | path | callbacks |", "|---|---|---|---|"]
    for item in proton.objects.values():
        path = rest.collection_path(proton, item)
        lines.append(
            f"| [{item.name}](#{item.name.lower()}) | `{item.api.name}-...` | `{path}` | {CALLBACKS[item.base]} |"
        )
    lines += [
        "",
        _COMMON,
        "",
    ]
    for item in proton.objects.values():
        lines += _object(proton, item)
    return "\n".join(lines)


def _object(proton: Proton, item: ObjectType) -> list[str]:
    lines = [
        f"## {item.name}",
        "",
        f"{item.description}.",
        "",
        "| attribute | value | given | meaning |",
        "|---|---|---|---|",
    ]
    lines += [f"| `{a.name}` | {_value(a)} | {_given(a)} | {a.description} |" for a in item.attributes.values()]
    lines.append("")
    if item.sentences:
        lines += ["Rules:", "", *(f"* {sentence}" for sentence in item.sentences), ""]
    body, answer = example(proton, item)
    path = rest.collection_path(proton, item)
    lines += [
        f"`POST {path}`",
        "",
        "```json",
        _json(body),
        "```",
        "",
        "answers 201:",
        "",
        "```json",
        _json(answer),
        "```",
        "",
    ]
    return lines


def _json(value: Any) -> str:
    return json.dumps(value, indent=2)


def _value(attribute: Attribute) -> str:
    if attribute.reference:
        keys = "keys of" if attribute.is_list else "key of"
        return f"{keys} [{attribute.reference}](#{attribute.reference.lower()})"
    if attribute.values:
        return ", ".join(f"`{value}`" for value in attribute.values)
    if attribute.type is AttributeType.INTEGER and (attribute.minimum, attribute.maximum) != (None, None):
        low = "" if attribute.minimum is None else attribute.minimum
        high = "" if attribute.maximum is None else attribute.maximum
        return f"integer {low}..{high}"
    kind = attribute.format or attribute.type.value
    longest = f", at most {attribute.length} characters" if kind == "string" and attribute.length else ""
    return kind + longest + (f", {attribute.kind_of_address}" if attribute.address else "")


def _given(attribute: Attribute) -> str:
    notes = []
    if attribute.primary:
        notes.append("key")
    if attribute.must_be_given:
        notes.append("required")
    if attribute.is_generated:
        notes.append("generated")
    if attribute.read_only:
        notes.append("by the server")
    if attribute.immutable:
        notes.append("never changes")
    if attribute.default is not None and not attribute.read_only:
        notes.append(f"default `{json.dumps(attribute.default)}`")
    if attribute.default_from:
        notes.append(f"default: `{attribute.default_from}`")
    return ", ".join(notes)


def example(proton: Proton, item: ObjectType) -> tuple[dict[str, Any], dict[str, Any]]:
    """The body of a create with what must be given, and its answer."""
    body = {a.name: _example_value(proton, item, a) for a in item.attributes.values() if _is_shown(a)}
    body |= _SECOND.get(item.base, {})
    body |= _CHOSEN.get((proton.name, item.name), {})
    answer: dict[str, Any] = validate_attributes(item, body)
    if item.base is Base.PORT:
        answer |= {"vif_type": "unbound", "vif_details": {}}
    answer |= {"created_at": MADE_AT, "updated_at": MADE_AT, "status_reason": None, "revision_number": 1}
    return body, answer


def _is_shown(attribute: Attribute) -> bool:
    return attribute.must_be_given or attribute.primary or attribute.name == "name"


def _example_value(proton: Proton, item: ObjectType, attribute: Attribute) -> Any:
    if attribute.reference:
        target = proton.objects[attribute.reference]
        return _example_value(proton, target, target.primary_key)
    if attribute.name == "tenant_id":
        return _TENANT
    if attribute.type is AttributeType.UUID:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{proton.name}/{item.name}"))
    if attribute.type is AttributeType.INTEGER:
        return 65000
    return attribute.values[-1] if attribute.values else _BY_FORMAT.get(attribute.format, "blue")
