"""The state: idempotent changes, and every key that a change concerns."""

from __future__ import annotations

import pytest

from gluon.contract.keys import ObjectKey
from gluon.contract.records import Answer
from gluon.models.catalog import SHIPPED
from gluon.schema import Proton, conform, parse_proton
from gluon.shim.plan import Call, next_step
from gluon.shim.state import HeldAnswer, Model, Object, State

from .samples import L3VPN, OURS, TENANT, applied, name, port, sample, vpn_binding

CHAIN = """
file_version: "1.0"
imports: base.yaml
info: {name: chain, version: "1.0"}
objects:
  Port: {extends: BasePort, api: {name: port}}
  Interface: {extends: BaseInterface, api: {name: interface}, attributes: {port_id: {type: Port}}}
  Service: {extends: BaseService, api: {name: service}}
  First: {extends: BaseObject, api: {name: first}}
  Second: {extends: BaseObject, api: {name: second}, attributes: {up: {type: First}}}
  Third: {extends: BaseObject, api: {name: third}, attributes: {up: {type: Second}}}
  Fourth: {extends: BaseObject, api: {name: fourth}, attributes: {up: {type: Third}}}
  Fifth: {extends: BaseObject, api: {name: fifth}, attributes: {up: {type: Fourth}}}
"""


@pytest.fixture(scope="module")
def chain() -> Proton:
    return parse_proton("chain.yaml", CHAIN, lambda _: (SHIPPED / "base.yaml").read_text(encoding="utf-8"))


def test_a_chain_of_any_depth_goes_when_its_end_goes(chain: Proton) -> None:
    state = State(chain)
    types = ["First", "Second", "Third", "Fourth", "Fifth"]
    key = name("Port", 1).key
    for object_type in types:
        values = {"id": key, "tenant_id": TENANT, **({"up": key} if object_type != "First" else {})}
        type_ = chain.objects[object_type]
        obj = Object(ObjectKey("chain", object_type, key), type_.base, conform(type_, values, key), 1)
        state.desire(obj)
        state.apply(obj.id, obj.base, applied(obj))
    due = state.forget(ObjectKey("chain", "First", key))
    deleted = []
    while due:
        step = next_step(found := due.pop(), state, OURS)
        if isinstance(step, Call):
            deleted.append(found.object)
            due |= state.unapply(found)
    assert deleted == types[::-1]


def test_a_service_binding_is_concerned_when_its_port_changes() -> None:
    state = State(L3VPN)
    for obj in (port(), sample("Interface", 1), vpn_binding()):
        state.desire(obj)
    assert vpn_binding().id in state.desire(port(host="host-2"))
    assert vpn_binding().id in state.forget(port().id)


def test_what_says_nothing_new_concerns_nobody_else() -> None:
    state = State(L3VPN)
    for obj in (port(), sample("Interface", 1)):
        state.desire(obj)
    assert state.desire(port(revision=2)) == {port().id}
    assert state.forget(name("Port", 9)) == set()
    assert state.unapply(name("Port", 9)) == set()


def test_old_news_of_an_answer_is_ignored() -> None:
    state, key = State(L3VPN), port().id
    answer = Answer(controller="ours", revision=1)
    assert state.hear(key, HeldAnswer(answer=answer, revision=5)) == {key}
    assert state.hear(key, HeldAnswer(answer=answer, revision=5)) == set()
    assert state.hear(key, HeldAnswer(answer=None, revision=4)) == set()
    assert state.settle(key, 4) == set()
    assert state.answer(key).answer == answer
    assert state.settle(key, 6) == {key}
    assert not state.answer(key).exists


def test_a_dropped_answer_leaves_nothing_behind() -> None:
    """Whichever is first: the result of our own delete, or the mirror's news of it."""
    for mirror_first in (False, True):
        state, key = State(L3VPN), port().id
        state.hear(key, HeldAnswer(answer=None, revision=5))
        gone = HeldAnswer(answer=None, revision=6, exists=False)
        if mirror_first:
            state.settle(key, 6)
            state.hear(key, gone)
        else:
            state.hear(key, gone)
            state.settle(key, 6)
        assert state.keys() == set()


def test_a_model_is_a_picture() -> None:
    empty = Model(L3VPN)
    one = empty.having(port()).having(sample("Interface", 1)).having(vpn_binding()).having(sample("VpnService", 1))
    other = one.lacking(port().id)
    assert (len(empty), len(one), len(other)) == (0, 4, 3)
    binding = one.get("VpnBinding", vpn_binding().key)
    assert binding is not None
    assert one.port_of(binding) == port()
    assert other.port_of(binding) is None
    assert one.service_of(binding) == sample("VpnService", 1)
    assert one.interface_of(binding) == sample("Interface", 1)
    assert one.bindings_of(port()) == [vpn_binding()]
    assert one.interfaces_of(port()) == [sample("Interface", 1)]
    assert one.all("VpnService") == [sample("VpnService", 1)]
    assert other.lacking(port().id) is other


def test_list_references_come_in_their_order() -> None:
    service = sample("VpnService", 1, ipv4_family="65000:2,65000:1,65000:3")
    model = Model(L3VPN).having(service).having(sample("VpnAfConfig", 1)).having(sample("VpnAfConfig", 2))
    assert [o.key for o in model.referenced(service, "ipv4_family")] == ["65000:2", "65000:1"]
    assert model.referenced(service, "ipv6_family") == []
