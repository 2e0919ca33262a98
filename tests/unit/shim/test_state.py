"""The state: idempotent changes, and every key that a change concerns."""

from __future__ import annotations

import pytest

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import NOBODY, Attempt, PortAnswer, WantedBinding
from gluon.models.catalog import SHIPPED
from gluon.schema import Proton, conform, parse_proton
from gluon.shim.plan import Call, next_steps
from gluon.shim.state import HeldAnswer, Model, Object, State, Wish, subject
from gluon.shim.state.state import ABSENT

from .samples import L3VPN, OURS, TENANT, applied, bound, name, port, sample, vpn_binding

P = port().id
ON_1, ON_2 = keys.binding(P, "host-1"), keys.binding(P, "host-2")

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
        state.record(obj.id, applied(obj))
    due = state.forget(ObjectKey("chain", "First", key))
    deleted = []
    while due:
        found = due.pop()
        if any(isinstance(step, Call) for step in next_steps(found, state, OURS)):
            deleted.append(found.object)
            due |= state.record(found, None)
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
    assert state.record(name("Port", 9), None) == set()


def test_old_news_of_an_answer_is_ignored() -> None:
    state, key = State(L3VPN), port().id
    answer = PortAnswer(controller="ours", revision=1)
    assert state.hear(key, HeldAnswer(answer=answer, revision=5)) == {key}
    assert state.hear(key, HeldAnswer(answer=answer, revision=5)) == set()
    assert state.hear(key, HeldAnswer(answer=NOBODY, revision=4)) == set()
    assert state.settle(key, 4) == set()
    assert state.answer(key).answer == answer
    assert state.settle(key, 6) == {key}
    assert not state.answer(key).exists


@pytest.mark.parametrize("mirror_first", [False, True])
def test_a_dropped_answer_leaves_nothing_behind(*, mirror_first: bool) -> None:
    """Whichever is first: the result of our own delete, or the mirror's news of it."""
    state, key = State(L3VPN), port().id
    state.hear(key, HeldAnswer(answer=NOBODY, revision=5))
    gone = HeldAnswer(answer=NOBODY, revision=6, exists=False)
    if mirror_first:
        state.settle(key, 6)
        state.wrote(key, gone)
    else:
        state.wrote(key, gone)
        state.settle(key, 6)
    assert state.keys() == set()


def test_an_answer_that_was_deleted_before_we_heard_that_it_was_written_stays_deleted() -> None:
    """The watch may be ahead of the response to our write; else each claim would fail for good."""
    state, key, ours = State(L3VPN), port().id, HeldAnswer(PortAnswer(controller="ours"), revision=5)
    assert state.hear(key, ours) == {key}
    assert state.settle(key, 7) == {key}
    assert state.wrote(key, ours) == set()
    assert not state.answer(key).exists


def test_our_own_write_is_known_before_the_mirror_tells_of_it() -> None:
    state, key = State(L3VPN), port().id
    state.hear(name("Port", 2), HeldAnswer(NOBODY, revision=5))
    written = HeldAnswer(PortAnswer(controller="ours"), revision=5)  # In the same transaction.
    assert state.wrote(key, written) == {key}
    assert state.hear(key, written) == set()
    assert state.answer(key) == written


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
    assert one.service_bindings_of(port()) == [vpn_binding()]
    assert one.interfaces_of(port()) == [sample("Interface", 1)]
    assert one.all("VpnService") == [sample("VpnService", 1)]
    assert other.lacking(port().id) is other


def test_list_references_come_in_their_order() -> None:
    service = sample("VpnService", 1, ipv4_family="65000:2,65000:1,65000:3")
    model = Model(L3VPN).having(service).having(sample("VpnAfConfig", 1)).having(sample("VpnAfConfig", 2))
    assert [o.key for o in model.referenced(service, "ipv4_family")] == ["65000:2", "65000:1"]
    assert model.referenced(service, "ipv6_family") == []


# -- a port's bindings -------------------------------------------------------------------------------


def wanted(*hosts: str) -> tuple[WantedBinding, ...]:
    return tuple(WantedBinding(host_id=host, token=f"token of {host}", vnic_type="direct") for host in hosts)


def test_a_binding_is_wished_for_on_each_host_as_its_own_members_say() -> None:
    state = State(L3VPN)
    state.desire(port(name="a", profile={"slot": 1}), "token of host-1", wanted("host-2"))
    wishes = state.wishes(P)
    assert list(wishes) == ["host-1", "host-2"]
    assert wishes["host-1"] == Wish(port(name="a", profile={"slot": 1}), "token of host-1")
    prepared = wishes["host-2"]
    assert prepared.token == "token of host-2"
    assert not prepared.port.active
    own = ("name", "host_id", "vnic_type", "profile")
    assert [prepared.port[attribute] for attribute in own] == ["a", "host-2", "direct", None]


def test_the_active_binding_comes_before_an_inactive_one_of_the_same_host() -> None:
    state = State(L3VPN)
    state.desire(port(), "t", wanted("host-1"))
    assert state.wishes(P) == {"host-1": Wish(port(), "t")}


@pytest.mark.parametrize("obj", [port(host=None), port(device_id=None)], ids=["no host", "no device"])
def test_a_port_that_is_not_to_be_bound_has_no_wishes(obj: Object) -> None:
    state = State(L3VPN)
    state.desire(port(), "t", wanted("host-2"))
    state.desire(obj)
    assert not state.wishes(P)


def test_a_prepared_binding_is_wanted_without_an_active_one() -> None:
    state = State(L3VPN)
    state.desire(port(host=None), "", wanted("host-2"))
    assert list(state.wishes(P)) == ["host-2"]


def test_what_hangs_on_a_port_is_concerned_by_its_bindings() -> None:
    state = State(L3VPN)
    for obj in (port(), sample("Interface", 1), vpn_binding()):
        state.desire(obj)
    all_three = {P, name("Interface", 1), vpn_binding().id}
    assert state.desire(port(), "", wanted("host-2")) == all_three
    assert state.desire(port(), "", wanted("host-2")) == {P}
    assert state.desire(port()) == all_three
    assert state.record(ON_1, bound(port())) == all_three
    assert state.record(ON_1, bound(port())) == {P}
    assert state.record(ON_1, None) == all_three


def test_the_hosts_of_a_port_are_those_of_its_records() -> None:
    state = State(L3VPN)
    state.record(ON_1, bound(port()))
    state.record(ON_2, applied(port(host="host-2"), claimed=True))
    assert set(state.hosts(P)) == {"host-1", "host-2"}
    assert state.keys() == {P}
    state.record(ON_1, None)
    assert set(state.hosts(P)) == {"host-2"}
    state.record(ON_2, None)
    assert not state.hosts(P)
    assert state.keys() == set()
    assert (subject(ON_1), subject(P)) == (P, P)


def test_a_port_is_known_as_it_was_bound_or_may_have_been() -> None:
    state, attributes = State(L3VPN), dict(port(name="attempted").attributes)
    state.record(ON_1, bound(port(name="before")))
    assert state.as_bound(P, "host-1")["name"] == "before"
    state.record(ON_1, bound(port(name="before"), attempt=Attempt(callback="bind_port", attributes=attributes)))
    assert state.as_bound(P, "host-1")["name"] == "attempted"
    state.record(ON_1, bound(port(name="before"), attempt=Attempt(callback="unbind_port", attributes=attributes)))
    assert state.as_bound(P, "host-1")["name"] == "before"


def test_a_port_that_is_bound_where_it_is_only_prepared_is_said_to_be_inactive() -> None:
    state = State(L3VPN)
    state.record(ON_1, bound(port()))
    state.record(ON_2, bound(port(host="host-2")))
    state.desire(port(host="host-2"), "t", wanted("host-1"))
    assert [state.as_bound(P, host).active for host in ("host-1", "host-2")] == [False, True]


def test_what_needs_an_object_is_concerned_when_that_is_gone_for_all_that_is_known() -> None:
    vpn = sample("VpnService", 1)
    state, attempt = State(L3VPN), Attempt(callback="modify_service", attributes=dict(vpn.attributes))
    for obj in (port(), sample("Interface", 1), vpn, vpn_binding()):
        state.desire(obj)
        state.record(obj.id, applied(obj))
    state.record(ON_1, bound(port()))
    assert vpn_binding().id not in state.record(vpn.id, applied(vpn, attempt=attempt))
    assert vpn_binding().id in state.record(vpn.id, applied(vpn, attempt=attempt, claimed=True))


def test_an_answer_that_never_was_is_absent() -> None:
    state = State(L3VPN)
    assert state.answer(P) == ABSENT
    assert state.hear(P, HeldAnswer(answer=NOBODY, revision=3, exists=False)) == set()
    assert state.keys() == set()
