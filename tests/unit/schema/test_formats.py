"""Every type and format: what is accepted, its canonical form, what is refused and why."""

from __future__ import annotations

import math

import pytest

from gluon.schema import FORMATS, AttributeType, InvalidAttributes, validate_attributes
from gluon.schema.checks import MAX_JSON_DEPTH
from gluon.schema.formats import TEXT_FORMATS

UUID = "8a6f0e6c-6c1e-4f5d-9a51-b0c1f9c5a7e2"
OTHER = "0d7a3f0c-6c1e-4f5d-9a51-b0c1f9c5a7e3"

ACCEPTED = {
    "type: string": [("", ""), ("x" * 255, "x" * 255), ("grüße ☃ 🙂", "grüße ☃ 🙂"), ("a\nb\t", "a\nb\t")],
    "type: string, length: 3": [("🙂🙂🙂", "🙂🙂🙂")],
    "type: integer": [(0, 0), (-(2**31), -(2**31)), (2**31 - 1, 2**31 - 1)],
    "type: integer, format: int64": [(-(2**63), -(2**63)), (2**63 - 1, 2**63 - 1)],
    "type: integer, min: 1, max: 5": [(1, 1), (5, 5)],
    "type: integer, except: [3, 5]": [(4, 4)],
    "type: integer, min: 1": [(2**31 - 1, 2**31 - 1)],
    "type: number": [(1, 1.0), (1.5, 1.5), (-1e300, -1e300), (10**300, 1e300)],
    "type: boolean": [(True, True), (False, False)],
    "type: uuid": [("", None), (UUID, UUID), (UUID.upper(), UUID), (UUID.replace("-", ""), UUID)],
    "type: uuid, format: project-id": [
        (UUID, UUID),
        (UUID.upper(), UUID),
        (UUID.replace("-", ""), UUID.replace("-", "")),
        (UUID.replace("-", "").upper(), UUID.replace("-", "")),
        ("", None),
    ],
    "type: enum, values: [red, green]": [("red", "red"), ("", None)],
    "type: string, format: mac": [
        ("c8:2a:14:04:43:80", "c8:2a:14:04:43:80"),
        ("C8-2A-14-04-43-80", "c8:2a:14:04:43:80"),
        ("01:00:5e:00:00:01", "01:00:5e:00:00:01"),
        ("C82A.1404.4380", "c8:2a:14:04:43:80"),
        ("c82a-1404-4380", "c8:2a:14:04:43:80"),
        ("c82a:1404:4380", "c8:2a:14:04:43:80"),
        ("c82a14-044380", "c8:2a:14:04:43:80"),
        ("c82a14:044380", "c8:2a:14:04:43:80"),
        ("C82A14044380", "c8:2a:14:04:43:80"),
        ("", None),
    ],
    "type: string, format: mac, address: unicast": [("fa:16:3e:00:00:01", "fa:16:3e:00:00:01")],
    "type: string, format: mac, address: multicast": [("33-33-00-00-00-01", "33:33:00:00:00:01")],
    "type: string, format: ip, address: unicast": [
        ("10.0.0.1", "10.0.0.1"),
        ("169.254.1.1", "169.254.1.1"),
        ("100.64.0.1", "100.64.0.1"),
        ("223.255.255.254", "223.255.255.254"),
        ("FE80::1", "fe80::1"),
        ("fd00::1", "fd00::1"),
        ("2001:0DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("", None),
    ],
    "type: string, format: ip, address: multicast": [("239.0.0.1", "239.0.0.1"), ("FF02::1", "ff02::1")],
    "type: string, format: ip-list, address: unicast": [("10.0.0.1, fe80::1", "10.0.0.1,fe80::1"), ("", None)],
    "type: string, format: ipv4": [("10.0.0.1", "10.0.0.1"), ("255.255.255.255", "255.255.255.255")],
    "type: string, format: ipv6": [
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("::", "::"),
        ("::FFFF:1.2.3.4", "::ffff:1.2.3.4"),
        ("::ffff:102:304", "::ffff:1.2.3.4"),
    ],
    "type: string, format: ip": [("10.0.0.1", "10.0.0.1"), ("2001:DB8::1", "2001:db8::1")],
    "type: string, format: cidr": [
        ("10.0.0.0/24", "10.0.0.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8::/64", "2001:db8::/64"),
        ("10.0.0.1/32", "10.0.0.1/32"),
    ],
    "type: string, format: route-target": [
        ("0:0", "0:0"),
        ("65535:4294967295", "65535:4294967295"),
        ("65536:65535", "65536:65535"),
        ("4294967295:65535", "4294967295:65535"),
        ("255.255.255.255:65535", "255.255.255.255:65535"),
    ],
    "type: string, format: route-distinguisher": [("65000:100", "65000:100"), ("10.0.0.1:1", "10.0.0.1:1")],
    "type: string, format: date-time": [
        ("2024-05-17T09:30:00Z", "2024-05-17T09:30:00Z"),
        ("2024-05-17t09:30:00z", "2024-05-17T09:30:00Z"),
        ("2024-05-17T09:30:00.500+02:00", "2024-05-17T07:30:00.5Z"),
        ("2024-02-29T23:59:59.000001-00:30", "2024-03-01T00:29:59.000001Z"),
        ("2024-05-17T09:30:00.0000000Z", "2024-05-17T09:30:00Z"),
    ],
    "type: string, format: uri": [
        ("http://example.com:80/a?b=c#d", "http://example.com:80/a?b=c#d"),
        ("urn:uuid:1", "urn:uuid:1"),
        ("http://[2001:db8::1]/%20", "http://[2001:db8::1]/%20"),
    ],
    "type: string, format: email": [("A.b+c@Example.COM", "A.b+c@example.com"), ("root@localhost", "root@localhost")],
    "type: string, format: uuid-list": [(f"{UUID.upper()} , {OTHER}", f"{UUID},{OTHER}")],
    "type: string, format: ip-list": [
        ("10.0.0.1", "10.0.0.1"),
        (" 10.0.0.1 ,2001:DB8::1", "10.0.0.1,2001:db8::1"),
        ("", None),
        ("  ", None),
    ],
    "type: string, format: cidr-list": [("10.0.0.0/8, 2001:DB8::/32", "10.0.0.0/8,2001:db8::/32")],
    "type: string, format: route-target-list": [("65000:2, 65000:1", "65000:2,65000:1")],
    "type: string, format: route-distinguisher-list": [("65000:1", "65000:1")],
    "type: string, format: json": [
        ({"a": [1, 2.5, None, True, "x"]}, {"a": [1, 2.5, None, True, "x"]}),
        ('{"a": 1}', {"a": 1}),
        (" [1] ", [1]),
        ("5", 5),
        (2**64 - 1, 2**64 - 1),
        (False, False),
        ("null", None),
        ("", None),
        ([], []),
    ],
    "type: string, format: json, length: 7": [({"a": 1}, {"a": 1}), (["🙂🙂🙂"], ["🙂🙂🙂"])],
}

REFUSED = {
    "type: string": [
        (5, "expected text of at most 255 characters, got 5"),
        (True, "expected text of at most 255 characters, got true"),
        (["x"], "expected text of at most 255 characters, got a list"),
        ("x" * 256, "...: it has 256"),
        ("a\0b", 'got "a\\u0000b": it holds a NUL character'),
        ("\ud800", 'got "\\ud800": it holds a lone surrogate'),
    ],
    "type: integer": [
        ("5", 'expected an integer -2147483648..2147483647, got "5"'),
        (True, "got true"),
        (5.0, "got 5.0"),
        (2**31, "got 2147483648"),
        (-(2**31) - 1, "got -2147483649"),
        (10**5000, "got a very large integer"),
    ],
    "type: integer, format: int64": [(2**63, "expected an integer -9223372036854775808..9223372036854775807")],
    "type: integer, except: [3, 5]": [(3, "got 3: it is reserved"), (5, "got 5: it is reserved")],
    "type: integer, min: 68, max: 65535": [(12, "expected an integer 68..65535, got 12")],
    "type: number": [
        ("1", 'expected a finite number, got "1"'),
        (True, "got true"),
        (math.nan, "got nan"),
        (-math.inf, "got -inf"),
        (10**400, "got a very large integer"),
    ],
    "type: boolean": [
        ("true", 'expected true or false, got "true"'),
        (1, "expected true or false, got 1"),
        (0.0, "got 0.0"),
    ],
    "type: uuid": [
        (5, "expected a UUID such as 0d7a3f0c-6c1e-4f5d-9a51-b0c1f9c5a7e2, got 5"),
        (" ", 'got " "'),
        ("{" + UUID + "}", "expected a UUID"),
        ("urn:uuid:" + UUID, "expected a UUID"),
        (UUID[:-1], "expected a UUID"),
        (UUID + "\n", "expected a UUID"),
        (UUID.replace("8", "g", 1), "expected a UUID"),
        ("8-a6f0e6c6c1e4f5d9a51b0c1f9c5a7e2---", "expected a UUID"),
        ("\u0668" + UUID[1:], "expected a UUID"),
    ],
    "type: enum, values: [red, green]": [
        ("blue", 'expected one of red, green, got "blue"'),
        (["red"], "expected one of red, green, got a list"),
    ],
    "type: string, format: mac": [
        ("c8:2a:14:04:43", "expected a MAC address such as c8:2a:14:04:43:80, got"),
        ("c8:2a:14:04:43:80:00", "expected a MAC address"),
        ("c8:2a-14:04:43:80", "expected a MAC address"),
        ("c82a1404438", "expected a MAC address"),
        ("c8:2a:14::43:80", "expected a MAC address"),
        ("c8-2a-14-4-43-80", "expected a MAC address"),
        ("c8:2a:14:004:43:80", "expected a MAC address"),
        ("c82a.14-04.4380", "expected a MAC address"),
        ("c8 2a 14 04 43 80", "expected a MAC address"),
        ("c82a.1404.4380.0000", "expected a MAC address"),
        ("c8:2a:14:04:43:8g", "expected a MAC address"),
        ("c8:2a:14:04:43:80\n", "expected a MAC address"),
        ("00:00:00:00:00:00", "all zeros is no address"),
        ("FF-FF-FF-FF-FF-FF", "this is the broadcast address"),
        (5, "got 5"),
    ],
    "type: string, format: mac, address: unicast": [
        ("01:00:5e:00:00:01", "01:00:5e:00:00:01 is a multicast address, its first octet is odd"),
        ("3333.0000.0001", "33:33:00:00:00:01 is a multicast address"),
        ("ff:ff:ff:ff:ff:ff", "this is the broadcast address"),
    ],
    "type: string, format: mac, address: multicast": [("c8:2a:14:04:43:80", "is the address of one network card")],
    "type: string, format: ip, address: unicast": [
        ("0.0.0.0", "0.0.0.0 is the unspecified address"),
        ("0.1.2.3", "0.0.0.0/8 is reserved"),
        ("127.0.0.1", "127.0.0.1 is a loopback address"),
        ("224.0.0.1", "224.0.0.1 is a multicast address"),
        ("239.255.255.255", "is a multicast address"),
        ("255.255.255.255", "255.255.255.255 is the broadcast address"),
        ("240.0.0.1", "240.0.0.0/4 is reserved"),
        ("::", ":: is the unspecified address"),
        ("0:0::1", "::1 is a loopback address"),
        ("FF02::1", "ff02::1 is a multicast address"),
        ("::FFFF:10.0.0.1", "is an IPv4 address in IPv6 spelling; write 10.0.0.1"),
        ("::10.0.0.1", "is an IPv4-compatible address, which RFC 4291 has withdrawn"),
        ("fe80::1%eth0", "a zone means nothing on another machine"),
    ],
    "type: string, format: ip, address: multicast": [("10.0.0.1", "10.0.0.1 is no multicast address")],
    "type: string, format: ip, address: source": [
        ("127.0.0.1", "is a loopback address"),
        ("0.1.2.3", "0.0.0.0/8 is reserved"),
        ("224.0.0.1", "is a multicast address"),
        ("255.255.255.255", "is the broadcast address"),
        ("::1", "is a loopback address"),
        ("::ffff:10.0.0.1", "write 10.0.0.1"),
    ],
    "type: string, format: ip, address: destination": [
        ("0.0.0.0", "is the unspecified address"),
        ("127.0.0.1", "is a loopback address"),
        ("240.0.0.1", "240.0.0.0/4 is reserved"),
        ("::", "is the unspecified address"),
        ("::1", "is a loopback address"),
        ("::ffff:10.0.0.1", "write 10.0.0.1"),
        ("::ffff:224.0.0.1", "in IPv6 spelling"),
    ],
    "type: string, format: mac, address: source": [("ff:ff:ff:ff:ff:ff", "this is the broadcast address")],
    "type: string, format: mac, address: destination": [("00:00:00:00:00:00", "all zeros is no address")],
    "type: string, format: ip-list, address: unicast": [("10.0.0.1,224.0.0.1", "224.0.0.1 is a multicast address")],
    "type: string, format: ipv4": [
        ("10.0.0", "expected an IPv4 address such as 10.0.0.1"),
        ("10.0.0.01", "expected an IPv4 address"),
        ("10.0.0.256", "expected an IPv4 address"),
        ("::1", "expected an IPv4 address"),
        ("10.0.0.1/24", "expected an IPv4 address"),
        ("\u0661.0.0.1", "expected an IPv4 address"),
    ],
    "type: string, format: ipv6": [
        ("10.0.0.1", "expected an IPv6 address such as 2001:db8::1"),
        ("fe80::1%eth0", "a zone means nothing on another machine"),
        (":::", "expected an IPv6 address"),
    ],
    "type: string, format: ip": [("host", "expected an IP address such as 10.0.0.1 or 2001:db8::1")],
    "type: string, format: cidr": [
        ("10.0.0.0", "expected a network such as 10.0.0.0/24"),
        ("10.0.0.1/24", "bits are set beyond the prefix; the network is 10.0.0.0/24"),
        ("10.0.0.0/33", "expected a network"),
        ("10.0.0.0/024", "expected a network"),
        ("10.0.0.0/255.0.0.0", "expected a network"),
        ("2001:db8::/129", "expected a network"),
    ],
    "type: string, format: route-target": [
        ("65000", "expected a route target such as 65000:100 or 10.0.0.1:100"),
        ("1.10:100", "write the AS number as one decimal number, 65546"),
        ("65536:65536", "after a 4-octet AS number the number is at most 65535"),
        ("65535:4294967296", "after a 2-octet AS number the number is at most 4294967295"),
        ("4294967296:1", "an AS number is at most 4294967295"),
        ("10.0.0.1:65536", "after an IPv4 address the number is at most 65535"),
        ("10.0.0.256:1", "expected a route target"),
        ("065000:1", "expected a route target"),
        ("65000:01", "expected a route target"),
        ("65000:1:1", "expected a route target"),
        ("2001:db8::1:1", "expected a route target"),
        (" 65000:1", "expected a route target"),
    ],
    "type: string, format: route-distinguisher": [("x:1", "expected a route distinguisher such as 65000:100")],
    "type: string, format: date-time": [
        ("2024-05-17", "expected an RFC 3339 date and time such as 2024-05-17T09:30:00Z"),
        ("2024-05-17T09:30:00", "expected an RFC 3339 date and time"),
        ("2024-05-17T24:00:00Z", "expected an RFC 3339 date and time"),
        ("2023-02-29T09:30:00Z", "no such date"),
        ("0001-01-01T00:00:00+01:00", "no such date"),
        ("2016-12-31T23:59:60Z", "leap seconds cannot be stored"),
        ("2024-05-17T09:30:00.0000001Z", "finer than a microsecond"),
    ],
    "type: string, format: uri": [
        ("example.com", "expected an absolute URI such as http://example.com/a"),
        ("http://a b", "expected an absolute URI"),
        ("http://a/%zz", "expected an absolute URI"),
        ("http://a:99999/", "Port out of range"),
        ("http://a#b#c", "expected an absolute URI"),
        ("http:", "expected an absolute URI"),
    ],
    "type: string, format: email": [
        ("a", "expected an email address such as operator@example.com"),
        ("a@b@c", "expected an email address"),
        ("a b@c", "expected an email address"),
        ("a@-b", "expected an email address"),
        ("x" * 65 + "@c", "expected an email address"),
        ("a@" + ".".join(["b" * 60] * 5), "expected an email address"),
    ],
    "type: string, format: uuid-list": [(f"{UUID},{UUID.upper()}", f"{UUID} is given twice")],
    "type: string, format: ip-list": [
        ("10.0.0.1,", "'' is not an IP address such as 10.0.0.1 or 2001:db8::1"),
        ("10.0.0.1;10.0.0.2", "expected IP addresses separated by commas"),
        ("2001:db8::1,2001:DB8:0::1", "2001:db8::1 is given twice"),
        (["10.0.0.1"], "got a list"),
    ],
    "type: string, format: cidr-list": [("10.0.0.1/24", "the network is 10.0.0.0/24")],
    "type: string, format: route-target-list": [("65000:1,1.1:1", "write the AS number as one decimal number, 65537")],
    "type: string, format: route-distinguisher-list, length: 10": [
        ("65000:1,65000:2", "at most 10 characters fit, it has 15"),
    ],
    "type: string, format: json": [
        ("{", "expected a JSON object, list, number or boolean of at most 255 characters"),
        ('"text"', "a bare string"),
        ('{"a": {"b": 1, "b": 2}}', "a member is given twice"),
        ("NaN", "JSON is malformed"),
        ("1e400", "Number out of range"),
        (math.inf, "a number that is not finite"),
        ({"a": math.nan}, "a number that is not finite"),
        (2**64, "an integer beyond 64 bits"),
        (["a\0"], "it holds a NUL character"),
        ({"\ud800": 1}, "it holds a lone surrogate"),
        ('"\ud800"', "it holds a lone surrogate"),
        ({1: 2}, "the name of a member is not a string"),
        ({"a": {1}}, "a set is not JSON"),
        ("[" * 33 + "]" * 33, "nested deeper than 32"),
        ("[" * 20_000, "nested deeper than 32"),
        (["x" * 252], "it has 256"),
    ],
}


def flat(table):
    # The values themselves make no identifiers: some are huge, some unprintable.
    return [
        pytest.param(attribute, *row, id=f"{attribute}-{number}".replace(" ", ""))
        for attribute, rows in table.items()
        for number, row in enumerate(rows)
    ]


@pytest.mark.parametrize(("attribute", "value", "canonical"), flat(ACCEPTED))
def test_accepted(thing, attribute, value, canonical):
    result = validate_attributes(thing(f"a: {{{attribute}}}"), {"a": value})["a"]
    assert result == canonical
    assert type(result) is type(canonical)


@pytest.mark.parametrize(("attribute", "value", "message"), flat(REFUSED))
def test_refused(thing, attribute, value, message):
    with pytest.raises(InvalidAttributes) as caught:
        validate_attributes(thing(f"a: {{{attribute}}}"), {"a": value})
    (problem,) = caught.value.problems
    assert problem.attribute == "a"
    assert problem.message.startswith("expected ")
    assert message in problem.message
    problem.message.encode()
    assert len(problem.message) < 400


def test_json_at_the_deepest_nesting(thing):
    value: list = []
    for _ in range(MAX_JSON_DEPTH - 1):
        value = [value]
    assert validate_attributes(thing("a: {type: string, format: json}"), {"a": value})["a"] == value
    with pytest.raises(InvalidAttributes, match="nested deeper than 32"):
        validate_attributes(thing("a: {type: string, format: json}"), {"a": [value]})


def test_every_format_has_good_and_bad_values_here():
    spelled = " ".join(f"{key}," for key in ACCEPTED)
    for type_, formats in FORMATS.items():
        for name in formats:
            if name != "int32":
                assert f"type: {type_}, format: {name}," in spelled
    assert {f"type: string, format: {name}" for name in TEXT_FORMATS} <= {
        key.partition(", length")[0]
        for key in REFUSED  # some with a length of their own
    }
    assert all(any(key.startswith(f"type: {type_}") for key in REFUSED) for type_ in AttributeType)


def test_expected_says_what_an_attribute_accepts(thing):
    attributes = thing("a: {type: integer, min: 1, max: 5}, b: {type: enum, values: [x, y]}").attributes
    assert attributes["a"].expected == "an integer 1..5"
    assert attributes["b"].expected == "one of x, y"
