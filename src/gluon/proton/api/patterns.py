"""The formats of text as regular expressions, for the OpenAPI document.

`format` alone tells a program nothing: JSON Schema knows few of ours, and some others under these names.
Each expression takes what the format takes, in the dialect that JSON Schema asks for (ECMA-262), and none
takes more; where an exact one would fill a page (IPv6), it leaves out spellings that nobody uses.
"""

from __future__ import annotations

from gluon.schema import Attribute, AttributeType
from gluon.schema.addresses import DESTINATION, MULTICAST, SOURCE, UNICAST

_HEX = "[0-9a-fA-F]"
UUID = f"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}|{_HEX}{{32}}"

_TO_199 = "1[0-9][0-9]|[1-9]?[0-9]"
_OCTET = f"(?:25[0-5]|2[0-4][0-9]|{_TO_199})"
IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_MACHINE = "(?:22[0-3]|2[01][0-9]|1[3-9][0-9]|12[0-689]|1[01][0-9]|[1-9][0-9]?)"
"""The first octet of a machine's address: neither 0, 127, a group's nor reserved."""
_UNICAST_V4 = rf"{_MACHINE}(?:\.{_OCTET}){{3}}"
_MULTICAST_V4 = rf"(?:22[4-9]|23[0-9])(?:\.{_OCTET}){{3}}"


def _ipv6(first: str) -> str:
    """IPv6 addresses whose first group is as said."""
    group = f"{_HEX}{{1,4}}"
    shapes = [f"{first}(?::{group}){{7}}", f"{first}(?::{group}){{6}}::"]
    shapes += [
        f"{first}(?::{group}){{{count - 1}}}::(?:{group}(?::{group}){{0,{6 - count}}})?" for count in range(1, 7)
    ]
    return "|".join(shapes)


_GROUP = f"{_HEX}{{1,4}}"
_IPV6 = f"{_ipv6(_GROUP)}|::(?:{_GROUP}(?::{_GROUP}){{0,6}})?|::(?:[fF]{{4}}:)?{IPV4}"
_NOT_ZERO = f"(?:[1-9a-eA-E]{_HEX}{{3}}|[fF][0-9a-eA-E]{_HEX}{{2}}|0[1-9a-fA-F]{_HEX}{{2}}|[1-9a-fA-F]{_HEX}{{0,2}})"
_UNICAST_V6 = _ipv6(_NOT_ZERO)
_MULTICAST_V6 = _ipv6(f"[fF][fF]{_HEX}{{2}}")

_TO_U16 = "(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}|0)"
_BELOW_U32 = (
    "429496729[0-5]|42949672[0-8][0-9]|4294967[01][0-9]{2}|429496[0-6][0-9]{3}|42949[0-5][0-9]{4}|4294[0-8][0-9]{5}"
    "|429[0-3][0-9]{6}|42[0-8][0-9]{7}|4[01][0-9]{8}|[1-3][0-9]{9}"
)
_TO_U32 = f"(?:{_BELOW_U32}|[1-9][0-9]{{0,8}}|0)"
_FROM_U16 = (
    f"(?:{_BELOW_U32}|[1-9][0-9]{{5,8}}|[7-9][0-9]{{4}}|6[6-9][0-9]{{3}}|65[6-9][0-9]{{2}}|655[4-9][0-9]|6553[6-9])"
)
ROUTE_TARGET = f"{_TO_U16}:{_TO_U32}|(?:{_FROM_U16}|{IPV4}):{_TO_U16}"

_MAC = {
    "": _HEX,
    UNICAST: "[02468aceACE]",
    MULTICAST: "[13579bdfBDF]",
    SOURCE: "[02468aceACE]",
    DESTINATION: _HEX,
}
"""The second digit of the first octet, by the kind of address."""
_NOT_ZEROS = "(?![0:.-]+$)"
_NOT_BROADCAST = "(?![fF:.-]+$)"


def _mac(kind: str) -> str:
    first, no_mac = _HEX + _MAC[kind], _NOT_ZEROS if kind == DESTINATION else _NOT_ZEROS + _NOT_BROADCAST
    octet = f"{_HEX}{{2}}"
    shapes = [f"{_HEX}?{_MAC[kind]}(?::{_HEX}{{1,2}}){{5}}", f"{first}(?:-{octet}){{5}}"]
    shapes += [f"{first}{octet}(?:{separator}{octet}{octet}){{2}}" for separator in (r"\.", "-", ":")]
    shapes += [f"{first}{octet}{octet}[-:]{octet}{octet}{octet}", f"{first}(?:{octet}){{5}}"]
    return f"{no_mac}(?:{'|'.join(shapes)})"


_LONG, _SHORT = "0[13578]|1[02]", "0[469]|11"
_LEAP = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DAY = (
    f"(?:{_LEAP}-02-29|[0-9]{{4}}-(?:(?:{_LONG})-(?:0[1-9]|[12][0-9]|3[01])"
    f"|(?:{_SHORT})-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8])))"
)
_HOUR_MINUTE = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
# In the first and the last year UTC may be another year, which there is none of.
DATE_TIME = rf"(?!000[01]|9999){_DAY}[Tt]{_HOUR_MINUTE}:[0-5][0-9](?:\.[0-9]{{1,6}}0*)?(?:[Zz]|[+-]{_HOUR_MINUTE})"

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAIL = rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*"

_URI_CHARACTER = "(?:[A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})"
_HOST = rf"(?:[A-Za-z0-9._~-]*|\[(?:{_IPV6})\])"
_AUTHORITY = rf"//(?:[A-Za-z0-9._~-]+@)?{_HOST}(?::{_TO_U16})?(?:[/?]{_URI_CHARACTER}*)?"
URI = f"[A-Za-z][A-Za-z0-9+.-]*:(?:{_AUTHORITY}|(?!//){_URI_CHARACTER}+)(?:#{_URI_CHARACTER}*)?"

UNBOUNDED = ("date-time", "email", "uri")
"""The formats of a single value whose expression does not say how long it may be."""

_IP = {
    "": {"ipv4": IPV4, "ipv6": _IPV6},
    UNICAST: {"ipv4": _UNICAST_V4, "ipv6": _UNICAST_V6},
    MULTICAST: {"ipv4": _MULTICAST_V4, "ipv6": _MULTICAST_V6},
    SOURCE: {"ipv4": rf"{_UNICAST_V4}|0\.0\.0\.0", "ipv6": f"{_UNICAST_V6}|::"},
    DESTINATION: {
        "ipv4": rf"{_UNICAST_V4}|{_MULTICAST_V4}|255\.255\.255\.255",
        "ipv6": f"{_UNICAST_V6}|{_MULTICAST_V6}",
    },
}
UUID_LENGTH = 36
"""As it is kept, with hyphens."""
_DIFFERENT = r"(?!(?:.*,)?([^,]+)(?:,.*)?,\1(?:,|$))"
"""No item of a list stands in it twice."""


def of(attribute: Attribute) -> str:
    """The whole expression of one value of an attribute, without anchors; empty: there is none."""
    if attribute.type is AttributeType.UUID:
        return UUID
    single = _single(attribute.format.removesuffix("-list"), attribute.address)
    if single and attribute.is_list:
        different = "" if attribute.repeats else _DIFFERENT
        return f"{different}(?:{single})(?:,(?:{single})){_repetitions(attribute)}"
    return single


def _repetitions(attribute: Attribute) -> str:
    """How many items may follow the first; a UUID without hyphens is shorter than as it is kept."""
    if attribute.format != "uuid-list" or attribute.length is None:
        return "*"
    return f"{{0,{max((attribute.length + 1) // (UUID_LENGTH + 1) - 1, 0)}}}"


def _single(format_name: str, kind: str) -> str:
    match format_name:
        case "ipv4" | "ipv6":
            return _IP[kind][format_name]
        case "ip":
            return "|".join(_IP[kind].values())
        case "mac":
            return _mac(kind)
        case _:
            return _OTHERS.get(format_name, "")


_OTHERS = {
    "route-target": ROUTE_TARGET,
    "route-distinguisher": ROUTE_TARGET,
    "uuid": UUID,
    "date-time": DATE_TIME,
    "email": EMAIL,
    "uri": URI,
}
