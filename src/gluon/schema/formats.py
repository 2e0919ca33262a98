"""The formats of the modelling language, and the one canonical text of each value.

Belongs here: text in, canonical text out.  The length of a text and values that are no text are
in `gluon.schema.checks`; which formats a type has is in `gluon.schema.attribute`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from urllib.parse import urlsplit

from msgspec import Struct

INTEGER_RANGES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
)
"""Smallest and largest value of each integer format."""

DEFAULT_INTEGER_FORMAT = "int32"

JSON = "json"
"""The one string format whose value is not text: any JSON value but a bare string."""


class Mismatch(ValueError):
    """A value is refused; the text, which may be empty, adds why."""


class TextFormat(Struct, frozen=True):
    """A format whose values are text."""

    expected: str
    """Completes `expected ...`, example included."""
    canonical: Callable[[str], str]
    """The one spelling of the value.  Raises `Mismatch`."""


_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_HYPHENATED_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch
_BARE_UUID = re.compile(r"[0-9A-Fa-f]{32}").fullmatch


def canonical_uuid(text: str) -> str:
    """Lower-case and hyphenated; Keystone's 32 bare digits are accepted."""
    # uuid.UUID would also take braces, `urn:uuid:` and hyphens at any place.
    if _CANONICAL_UUID(text):
        return text
    if _HYPHENATED_UUID(text):
        return text.lower()
    if _BARE_UUID(text):
        digits = text.lower()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    raise Mismatch


PROJECT_ID = "project-id"
"""The format of a `uuid` that Keystone made: kept as it was given, with or without hyphens."""


def project_id(text: str) -> str:
    """Lower-case; hyphens stay or stay away, as they were given."""
    canonical = canonical_uuid(text)
    return canonical if "-" in text else canonical.replace("-", "")


def project_id_spellings(text: str) -> tuple[str, str]:
    """The two spellings of a canonical project id: with hyphens, and as Keystone writes it."""
    hyphenated = canonical_uuid(text)
    return hyphenated, hyphenated.replace("-", "")


_HEX = "[0-9a-f][0-9a-f]"  # spelled out, it matches twice as fast as a repeated group
_CANONICAL_MAC = re.compile(":".join([_HEX] * 6)).fullmatch
MAC_PATTERN = (
    "[0-9A-Fa-f]{1,2}(?::[0-9A-Fa-f]{1,2}){5}"
    "|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}"
    r"|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2}"
    "|[0-9A-Fa-f]{4}(?:-[0-9A-Fa-f]{4}){2}"
    "|[0-9A-Fa-f]{4}(?::[0-9A-Fa-f]{4}){2}"
    "|[0-9A-Fa-f]{6}[-:][0-9A-Fa-f]{6}"
    "|[0-9A-Fa-f]{12}"
)
"""The common notations, as a regular expression: of the IEEE and of Unix (BSD leaves leading zeros out), Cisco,
Huawei, HP and PostgreSQL, and the bare digits."""
_MAC = re.compile(MAC_PATTERN).fullmatch
_OCTETS = 6
_NO_HEX_DIGIT = re.compile(r"[:.-]")
BROADCAST_MAC = "ff:ff:ff:ff:ff:ff"


def any_mac(text: str) -> str:
    """The address of a frame, whose destination may be all network cards."""
    if not _CANONICAL_MAC(text):
        if not _MAC(text):
            raise Mismatch
        octets = text.lower().split(":")
        whole = "".join(octet.zfill(2) for octet in octets) if len(octets) == _OCTETS else text.lower()
        digits = _NO_HEX_DIGIT.sub("", whole)
        text = ":".join(digits[place : place + 2] for place in range(0, 12, 2))
    if text == "00:00:00:00:00:00":
        raise Mismatch("all zeros is no address")
    return text


def _mac(text: str) -> str:
    text = any_mac(text)
    if text == BROADCAST_MAC:
        raise Mismatch("this is the broadcast address")
    return text


# An IPv4 address is accepted in its canonical spelling only.  A shim reads 100,000 of them at start,
# and `ipaddress` takes ten times as long as this expression.
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(r"\.".join([_OCTET] * 4)).fullmatch


def _ipv4(text: str) -> str:
    if not _IPV4(text):
        raise Mismatch
    return text


def _ipv6(text: str) -> str:
    if "%" in text:
        raise Mismatch("a zone means nothing on another machine")
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError as error:
        raise Mismatch from error
    # Python spells a mapped address differently from one version to the next; RFC 5952
    # section 5 has the IPv4 part dotted.
    mapped = address.ipv4_mapped
    return str(address) if mapped is None else f"::ffff:{mapped}"


def _ip(text: str) -> str:
    return _ipv6(text) if ":" in text else _ipv4(text)


def address_number(text: str) -> tuple[int, int]:
    """The width of a canonical address in bits, 32 or 128, and the address as a number."""
    if ":" in text:
        return 128, int(ipaddress.IPv6Address(text))
    return 32, int.from_bytes(map(int, text.split(".")), "big")


_PREFIX_LENGTH = re.compile(r"0|[1-9][0-9]{0,2}").fullmatch


def _cidr(text: str) -> str:
    address, slash, prefix = text.partition("/")
    if not slash or not _PREFIX_LENGTH(prefix):
        raise Mismatch
    address = _ip(address)
    try:
        network = ipaddress.ip_network(f"{address}/{prefix}", strict=False)
    except ValueError as error:
        raise Mismatch from error
    canonical = f"{_ip(str(network.network_address))}/{prefix}"
    if canonical != f"{address}/{prefix}":
        raise Mismatch(f"bits are set beyond the prefix; the network is {canonical}")
    return canonical


_ROUTE_TARGET = re.compile(r"(?P<administrator>[0-9.]{1,15}):(?P<number>0|[1-9][0-9]{0,9})").fullmatch
_AS_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}").fullmatch
_ASDOT = re.compile(r"([0-9]{1,5})\.([0-9]{1,5})").fullmatch
_U16, _U32 = 2**16 - 1, 2**32 - 1


def _route_target(text: str) -> str:
    """The three shapes of RFC 4360, RFC 4364 and RFC 5668, AS numbers in asplain.

    The asdot of RFC 5396 is refused: as a key, one route target has one spelling.
    """
    match = _ROUTE_TARGET(text)
    if match is None:
        raise Mismatch
    administrator, number = match["administrator"], int(match["number"])
    if not _AS_NUMBER(administrator):
        if asdot := _ASDOT(administrator):
            as_number = (int(asdot[1]) << 16) + int(asdot[2])
            raise Mismatch(f"write the AS number as one decimal number, {as_number}")
        return _with_number(_ipv4(administrator), number, _U16, "an IPv4 address")
    as_number = int(administrator)
    if as_number > _U32:
        raise Mismatch(f"an AS number is at most {_U32}")
    if as_number > _U16:
        return _with_number(administrator, number, _U16, "a 4-octet AS number")
    return _with_number(administrator, number, _U32, "a 2-octet AS number")


def _with_number(administrator: str, number: int, largest: int, kind: str) -> str:
    if number > largest:
        raise Mismatch(f"after {kind} the number is at most {largest}")
    return f"{administrator}:{number}"


_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:(?P<second>[0-9]{2})"
    r"(?P<fraction>\.[0-9]+)?(?P<offset>[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
).fullmatch
_MICROSECONDS = len(".123456")


def _date_time(text: str) -> str:
    match = _DATE_TIME(text)
    if match is None:
        raise Mismatch
    if match["second"] > "59":
        raise Mismatch("leap seconds cannot be stored")
    fraction = (match["fraction"] or "").rstrip("0")
    if len(fraction) > _MICROSECONDS:
        raise Mismatch("finer than a microsecond")
    try:
        utc = datetime.fromisoformat(text.upper().replace(match["fraction"] or "", "")).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Mismatch("no such date") from error
    return utc.replace(tzinfo=None).isoformat() + (fraction if len(fraction) > 1 else "") + "Z"


_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*").fullmatch
_EMAIL_LENGTH = 254


def _email(text: str) -> str:
    """The address that HTML's `input type=email` accepts; the domain in lower case."""
    if len(text) > _EMAIL_LENGTH or not _EMAIL(text):
        raise Mismatch
    local, _, domain = text.partition("@")
    return f"{local}@{domain.lower()}"


_URI = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+"
    r"(?:#(?:[A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)?"
).fullmatch


def _uri(text: str) -> str:
    """An absolute URI of RFC 3986, kept as given: only its scheme defines which URIs are equal."""
    if not _URI(text):
        raise Mismatch
    try:
        _ = urlsplit(text).port
    except ValueError as error:
        raise Mismatch(str(error)) from error
    return text


UUID = TextFormat("a UUID such as 0d7a3f0c-6c1e-4f5d-9a51-b0c1f9c5a7e2", canonical_uuid)

_SINGLE = {
    "date-time": TextFormat("an RFC 3339 date and time such as 2024-05-17T09:30:00Z", _date_time),
    "ipv4": TextFormat("an IPv4 address such as 10.0.0.1", _ipv4),
    "ipv6": TextFormat("an IPv6 address such as 2001:db8::1", _ipv6),
    "ip": TextFormat("an IP address such as 10.0.0.1 or 2001:db8::1", _ip),
    "cidr": TextFormat("a network such as 10.0.0.0/24 or 2001:db8::/64", _cidr),
    "mac": TextFormat("a MAC address such as c8:2a:14:04:43:80", _mac),
    "uri": TextFormat("an absolute URI such as http://example.com/a", _uri),
    "email": TextFormat("an email address such as operator@example.com", _email),
    "route-target": TextFormat("a route target such as 65000:100 or 10.0.0.1:100", _route_target),
    "route-distinguisher": TextFormat("a route distinguisher such as 65000:100 or 10.0.0.1:100", _route_target),
}


def _list_of(item: TextFormat, expected: str, *, repeats: bool = False) -> TextFormat:
    def canonical(text: str) -> str:
        items: list[str] = []
        seen: set[str] = set()
        for part in text.split(",") if text.strip() else ():
            try:
                value = item.canonical(part.strip())
            except Mismatch as mismatch:
                why = f": {mismatch}" if str(mismatch) else ""
                raise Mismatch(f"{part.strip()[:64]!a} is not {item.expected}{why}") from mismatch
            if value in seen and not repeats:
                raise Mismatch(f"{value} is given twice")
            seen.add(value)
            items.append(value)
        return ",".join(items)

    return TextFormat(expected, canonical)


_LISTS = {
    "uuid-list": (UUID, "UUIDs separated by commas"),
    "ip-list": (_SINGLE["ip"], "IP addresses separated by commas, such as 10.0.0.1,2001:db8::1"),
    "cidr-list": (_SINGLE["cidr"], "networks separated by commas, such as 10.0.0.0/24,2001:db8::/64"),
    "route-target-list": (
        _SINGLE["route-target"],
        "route targets separated by commas, such as 65000:100,65000:200",
    ),
    "route-distinguisher-list": (
        _SINGLE["route-distinguisher"],
        "route distinguishers separated by commas, such as 65000:100,65000:200",
    ),
}

TEXT_FORMATS: Mapping[str, TextFormat] = MappingProxyType(
    _SINGLE | {name: _list_of(*made_of) for name, made_of in _LISTS.items()}
)
"""The string formats, but for `json`."""

REPEATING: Mapping[str, TextFormat] = MappingProxyType(
    {name: _list_of(*made_of, repeats=True) for name, made_of in _LISTS.items()}
)
"""The list formats, where an item may stand in the list more than once."""
