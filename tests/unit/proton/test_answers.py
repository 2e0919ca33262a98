"""Answers and statuses as they come from etcd: checked, kept by source, and shown."""

from __future__ import annotations

import json

import pytest

from gluon.contract.keys import ObjectKey
from gluon.contract.records import BindingAnswer, PortAnswer, Status
from gluon.etcd import Event
from gluon.proton.answers.statuses import StatusBook
from gluon.proton.service import Target, apply_status, checked_answer, set_status
from gluon.proton.service.answers import MAX_REASON
from gluon.proton.service.changes import create, delete, new_attributes
from gluon.proton.storage import PUBLISHER

TENANT = "5b1a2d3c-0000-4000-8000-000000000001"
CONFIG = ObjectKey("net-l3vpn", "VpnAfConfig", "64512:1")


def given(**members):
    return PortAnswer(**{"controller": "c", "host_id": "h", "vif_type": "ovs", **members})


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (given(vif_type="x" * 65), "vif_type: expected text of at most 64 characters"),
        (given(vif_details={"a": "x" * 5000}), "vif_details: expected a JSON object"),
        (PortAnswer(inactive=(BindingAnswer(controller="c", host_id="h", vif_type="x" * 65),)), "vif_type"),
        (PortAnswer(inactive=(BindingAnswer(controller="c", vif_type="ovs"),)), "host_id: missing"),
    ],
)
def test_an_answer_that_does_not_fit_the_model_says_why(protons, answer, words):
    with pytest.raises(ValueError, match=words):
        checked_answer(protons["net-l3vpn"], answer)


def test_a_good_answer_stays_and_a_long_reason_is_cut(protons):
    answer = given(token="t", inactive=(BindingAnswer(controller="d", host_id="i", token="u"),))
    assert checked_answer(protons["net-l3vpn"], answer) == answer
    long = given(vif_type="binding_failed", reason="\0" + "x" * 9999)
    assert checked_answer(protons["net-l3vpn"], long).reason == "x" * MAX_REASON


async def reason(database):
    found = await database.read(lambda tx: tx.objects("net-l3vpn", "VpnAfConfig").get(CONFIG.key))
    return found.status_reason


@pytest.mark.asyncio
async def test_no_source_erases_what_another_one_says(database, protons):
    proton = protons["net-l3vpn"]
    target = Target(proton=proton, object_type=proton.objects["VpnAfConfig"])
    attributes = new_attributes(target, {"tenant_id": TENANT, "vrf_rt_value": CONFIG.key, "vrf_rt_type": "both"})
    # A source may be earlier than the object.
    status = Status(state="ERROR", reason="no route", failure="modify_object fails")
    await database.write(lambda tx: apply_status(tx, proton, CONFIG, "c", status))
    stored, _ = await database.write(lambda tx: create(tx, target, attributes))
    assert stored.status_reason == "c: modify_object fails; no route"
    await database.write(lambda tx: set_status(tx, proton, CONFIG, PUBLISHER, reason="etcd refuses it"))
    await database.write(lambda tx: apply_status(tx, proton, CONFIG, "d", Status(failure="slow")))
    assert await reason(database) == "c: modify_object fails; no route; d: slow; etcd refuses it"
    await database.write(lambda tx: apply_status(tx, proton, CONFIG, "c", None))
    assert await reason(database) == "d: slow; etcd refuses it"
    await database.write(lambda tx: set_status(tx, proton, CONFIG, PUBLISHER))
    assert await reason(database) == "d: slow"
    await database.write(lambda tx: apply_status(tx, proton, CONFIG, "d", Status()))
    assert await reason(database) is None


@pytest.mark.asyncio
async def test_a_status_that_is_known_changes_nothing(database, protons):
    proton = protons["net-l3vpn"]
    target = Target(proton=proton, object_type=proton.objects["VpnAfConfig"])
    attributes = new_attributes(target, {"tenant_id": TENANT, "vrf_rt_value": CONFIG.key, "vrf_rt_type": "both"})
    await database.write(lambda tx: create(tx, target, attributes))
    await database.write(lambda tx: apply_status(tx, proton, CONFIG, "c", Status(failure="slow")))
    told = []
    database.subscribe(told.append)
    await database.write(lambda tx: apply_status(tx, proton, CONFIG, "c", Status(failure="slow")))
    assert told == []
    await database.write(lambda tx: delete(tx, target, CONFIG.key))
    assert await database.read(lambda tx: tx.statuses.keys("c")) == [CONFIG]


PORT = ObjectKey("net-l3vpn", "Port", "p")


def tell(book, path, value, revision=1):
    book.take(Event(path.encode(), json.dumps(value).encode() if value is not None else None, revision), listing=False)


@pytest.mark.parametrize(
    ("value", "revision", "left"),
    [
        (None, 5, Status()),
        ({"state": "DOWN", "reason": "no carrier"}, 5, Status()),
        ({"state": "DOWN", "failure": "no route"}, 9, Status(failure="no route")),
        ({"state": "DOWN"}, 11, None),
    ],
)
def test_what_is_left_of_a_status_once_the_port_is_bound(protons, value, revision, left):
    book = StatusBook(protons)
    tell(book, f"/status/c/{PORT}", value, revision)
    assert book.left("c", PORT, 10) == left


def test_a_controller_serves_the_protons_that_it_names(protons):
    book = StatusBook(protons)
    status = {"controller": "c", "leader": "l", "fence": 1, "hosts": [], "handlers": {"net-l3vpn": "dummy"}}
    tell(book, "/status/c", status)
    assert book.is_alive("c")
    assert [book.serves("c", proton) for proton in ("net-l3vpn", "other")] == [True, False]
    tell(book, "/status/c", {"leader": "cannot be read"})
    assert book.serves("c", "other"), "nobody says that it does not"
    tell(book, "/status/c", None)
    assert not book.is_alive("c")
    assert not book.serves("c", "net-l3vpn")
