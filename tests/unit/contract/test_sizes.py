"""The largest object: a shim's record of a change of it fits a request to etcd."""

from __future__ import annotations

import pytest

from gluon.contract.keys import ObjectKey
from gluon.contract.records import (
    ETCD_REQUEST,
    LARGEST_OBJECT,
    RESERVED,
    AppliedRecord,
    Attempt,
    encode,
    encode_attributes,
    recorded_size,
)
from gluon.models import catalog

PROTON = catalog.load(["net-l3vpn"])["net-l3vpn"]


def digests(object_type, attributes):
    """As a shim has them."""
    return {
        f"{attribute.reference}/{key}": "0123456789abcdef"
        for attribute in object_type.references
        if attribute.is_list
        for key in attribute.items(attributes[attribute.name])
    }


@pytest.mark.parametrize("name", PROTON.objects)
def test_the_record_of_a_change_is_not_larger_than_was_counted(name):
    object_type = PROTON.objects[name]
    for length in (1, 100, 20_000):
        attributes = {
            each.name: ",".join(f"{n}:{n}" for n in range(length)) if each.is_list else "é" * length
            for each in object_type.attributes.values()
            if not each.read_only
        }
        counted = sum(recorded_size(object_type, attributes).values())
        assert counted >= len(encode_attributes(attributes)) - 2
        record = AppliedRecord(
            attributes=attributes,
            revision=2**62,
            claimed=True,
            attempt=Attempt(callback="modify_" + "x" * 100, attributes=attributes),
            references=digests(object_type, attributes),
        )
        assert len(encode(record)) <= 2 * counted + 1000 < 2 * counted + RESERVED


def test_two_of_the_largest_fit_with_room_for_a_key_and_a_fence():
    assert 2 * LARGEST_OBJECT + RESERVED <= ETCD_REQUEST
    assert len(str(ObjectKey("p", "O", "k" * 2000))) < RESERVED / 16
