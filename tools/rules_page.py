"""The page of rules: what the shipped models accept, where each rule comes from, and how a refusal reads.

Every message is that of a real refusal: the values here are tried when the page is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gluon.models import catalog
from gluon.proton.service.errors import Taken
from gluon.schema import (
    Attribute,
    AttributeType,
    CountsDown,
    Different,
    Mismatch,
    ObjectType,
    Range,
    Rule,
    SameFamily,
    Unique,
    Value,
)
from gluon.schema.subnets import subnet_problems

PROTONS = ("net-l3vpn", "ietf-sfc")

FORMATS: Mapping[str, tuple[str, str]] = {
    "ip": ("RFC 791, RFC 4291, RFC 5952; Neutron's ip_address", "10.0.0.256"),
    "mac": ("IEEE 802; Neutron's mac_address", "00:00:00:00:00:00"),
    "route-target": ("RFC 4360, RFC 5668", "65536:65536"),
    "route-target-list": ("RFC 4360, RFC 5668", "65000:1,65000:1"),
    "route-distinguisher-list": ("RFC 4364", "10.0.0.1:65536"),
    "uuid-list": ("RFC 9562", "x"),
    "json": ("RFC 8259; Neutron's binding:profile", '"text"'),
}
"""Of each format: where it comes from, and a value that it refuses."""

KINDS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("ip", "unicast"): ("RFC 1122, RFC 4291, RFC 6890", "224.0.0.1"),
    ("mac", "unicast"): ("its group bit", "01:00:5e:00:00:01"),
    ("ip", "source"): ("RFC 1122, RFC 2131, RFC 4862", "224.0.0.1"),
    ("mac", "source"): ("its group bit", "01:00:5e:00:00:01"),
    ("ip", "destination"): ("RFC 1122, RFC 919, RFC 4291", "127.0.0.1"),
    ("mac", "destination"): ("frames to all, RFC 894", "00:00:00:00:00:00"),
}
"""The same of a kind of address of a format."""

NUMBERS: Mapping[str, str] = {
    "mtu": "RFC 791, Neutron's mtu",
    "segmentation_id": "see the rule by segmentation_type",
    "subnet_prefix": "RFC 4632, RFC 4291",
    "as_number": "RFC 6793, RFC 7300, RFC 7607",
    "peer_as_number": "RFC 6793, RFC 7300, RFC 7607",
    "l4_port": "RFC 768, RFC 9293",
    "starting_index": "RFC 8300",
    "path_id": "RFC 8300",
    "hop_id": "RFC 8300",
}
ENUMS: Mapping[str, str] = {
    "vnic_type": "Nova's and Neutron's vnic_type",
    "segmentation_type": "Neutron's network types",
    "vrf_rt_type": "RFC 4364: a VRF imports or exports by a route target",
    "transport": "RFC 8300, RFC 7665",
    "transport_type": "RFC 8300, RFC 7665",
    "sfc_encapsulation": "RFC 8300",
}
"""By attribute, where its range or its values come from."""

_SUBNET = "RFC 1122, RFC 3021, RFC 4291, RFC 6164; Neutron's check_subnet_ip"
SUBNETS: tuple[tuple[str, int | None, str | None, str], ...] = (
    (
        "10.0.0.255",
        24,
        None,
        "the address is not that of the network nor its broadcast address; in a /31 or /32 it may be either",
    ),
    ("2001:db8::", 64, None, "the address is not the anycast address of the routers, but in a /127 or /128"),
    ("10.0.0.5", 33, None, "the prefix fits the family"),
    ("10.0.0.5", 24, "10.0.0.5", "the gateway has another address"),
    ("10.0.0.5", 24, "2001:db8::1", "the gateway is of the same family"),
    ("10.0.0.5", 24, "10.0.1.1", "the gateway is inside the subnet, is link-local, or the subnet is a /32 or /128"),
    ("10.0.0.5", 24, "10.0.0.255", "the gateway is not the network's address nor its broadcast address"),
)
"""Values of address, prefix and gateway, and the part of the rule that they break."""


_HEAD = """\
# Rules

This page is {made} from the shipped models. [The modelling language](model-language.md) says how a model of one's own
gets such rules, and when they are checked.

A value that is refused is answered 400 (`invalid_attributes`) with these messages in `details`, by attribute. One that
only one object can have, and another has, is answered 409 (`duplicate`) with the name of that object. Where two objects
in etcd have it all the same, a shim applies one, and `status_reason` of the other names it. An empty string means null;
of plain text it is a value, and of numbers and booleans it is refused.

Of every object: a UUID is 32 hexadecimal digits, with hyphens or without (RFC 9562). `tenant_id` comes back as it was
given, as Keystone writes it for instance, and never changes. An object that an attribute names exists, else 409
(`reference_missing`).

What is no rule, and why. Two VpnServices may have a route distinguisher in common. A VPN is what its route targets
make it (RFC 4364 section 4.3.1), so one VPN of two projects is two VpnServices, and all VRFs of a VPN may share a
distinguisher (section 4.2); Neutron's bgpvpn takes it for that reason. A controller that can't have it twice, as
OpenDaylight's, refuses the second one, and its `status_reason` says so. A hop is one place of one path, so a path names
no ServicePathHop twice; a function that is visited again is another hop. A route target or route distinguisher may have
AS 0 or any address before the colon: RFC 7607 and RFC 1122 are about paths and packets, and there it is only a number.
The hops of a path are in the order of its list, whatever their hop_id.
A VM may have the address that bindings of the same VPN name as their gateway: it may be the router.
"""


def rules_page(made: str) -> str:
    """The page.

    Args:
        made: what the page says of its origin.
    """
    lines = [_HEAD.format(made=made)]
    protons = catalog.load(PROTONS)
    for name in PROTONS:
        lines += [f"## {name}", ""]
        for object_type in protons[name].objects.values():
            rows = [*_attribute_rows(object_type), *_subnet_rows(object_type), *_rule_rows(object_type)]
            if rows:
                lines += [f"### {object_type.name}", "", "| rule | source | message |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _row(rule: str, source: str, message: str) -> str:
    cells = (cell.replace("|", "\\|") for cell in (rule, source, message))
    return f"| {' | '.join(cells)} |"


def _attribute_rows(object_type: ObjectType) -> Iterator[str]:
    for attribute in object_type.writable:
        if attribute.type is AttributeType.UUID:
            continue  # The same of each: at the top of the page.
        source, bad = _origin(attribute)
        if not source:
            continue
        needed = ", required" if attribute.must_be_given else ""
        yield _row(f"`{attribute.name}`: {attribute.accepted}{needed}", source, _refusal(attribute, bad))


def _origin(attribute: Attribute) -> tuple[str, Value]:
    """Where the attribute's rule comes from, and a value that it refuses; empty: it takes any text, or yes and no."""
    match attribute.type:
        case AttributeType.INTEGER:
            return NUMBERS[attribute.name], attribute.integer_range[1] + 1
        case AttributeType.ENUM:
            return ENUMS[attribute.name], "x"
        case _ if attribute.format:
            source, bad = FORMATS[attribute.format]
            if attribute.repeats:
                source += "; RFC 7665 section 2.2: a chain may visit a function again"
            if not attribute.address:
                return source, bad
            kind, bad = KINDS[attribute.format, attribute.address]
            return f"{source}; {kind}", bad
        case _:
            return "", ""


def _refusal(attribute: Attribute, bad: Value) -> str:
    try:
        attribute.check(bad)
    except Mismatch as mismatch:
        return f"`{attribute.refusal(bad, mismatch)}`"
    raise ValueError(f"{attribute.name} takes {bad!r}")


def _subnet_rows(object_type: ObjectType) -> Iterator[str]:
    subnet = object_type.subnet
    if subnet is None:
        return
    for address, prefix, gateway, rule in SUBNETS:
        values: dict[str, Value] = {subnet.address: address, subnet.prefix: prefix, subnet.gateway: gateway}
        [problem] = subnet_problems(subnet, values)
        yield _row(f"`{'`, `'.join(subnet.attributes)}`: {rule}", _SUBNET, f"`{problem.attribute}: {problem.message}`")


def _rule_rows(object_type: ObjectType) -> Iterator[str]:
    for rule in object_type.rules:
        yield _row(rule.sentence, rule.source, _broken(object_type, rule))


def _broken(object_type: ObjectType, rule: Rule) -> str:
    """How a refusal by the rule reads."""
    if isinstance(rule, Unique):
        values: tuple[Value, ...] = tuple(f"<{name}>" for name in rule.unique)
        return f"409 `{Taken(object_type.name, '<key>', rule, values)}`"
    [problem, *_] = rule.problems(_values_against(rule))
    return f"`{problem.attribute}: {problem.message}`"


def _values_against(rule: Rule) -> dict[str, Value]:
    match rule:
        case Range():
            by, (_, high) = next((each for each in rule.ranges.items() if each[1] != (0, 0)), ("", (0, 0)))
            return {rule.by: by, rule.attribute: high + 1}
        case CountsDown():
            return {rule.attribute: 2, rule.along: "a,b,c"}
        case Different():
            return dict.fromkeys(rule.different, "10.0.0.1")
        case SameFamily():
            first, *others = rule.same_family
            return {first: "10.0.0.1", **dict.fromkeys(others, "2001:db8::1")}
        case _:
            raise TypeError(rule)
