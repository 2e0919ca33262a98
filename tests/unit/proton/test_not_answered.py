"""The reason of a bind that nobody answered: the known cause, and no advice that does harm."""

from __future__ import annotations

from typing import Any

import pytest

from gluon.contract.keys import ObjectKey
from gluon.contract.records import BindingAnswer, PortAnswer
from gluon.proton.service.not_answered import Evidence, why_not_answered
from gluon.proton.storage import StoredBinding, StoredStatus

PORT = ObjectKey("net-l3vpn", "Port", "p")
ROW = StoredBinding(port="p", host="h2", token="t", created_at="", updated_at="")
HELD = PortAnswer(controller="c", host_id="h1", token="old", vif_type="ovs")
CLAIMED = PortAnswer(controller="c", host_id="h2", token="t")
EARLIER = PortAnswer(controller="c", host_id="h2", token="old", vif_type="ovs")
INACTIVE = PortAnswer(inactive=(BindingAnswer(controller="c", host_id="h1", token="old"),))
FAILURE = StoredStatus(source="c", failure="unbind_port fails: no route to host")


SOURCE = StoredBinding(port="p", host="h1", token="old", vif_type="ovs", created_at="", updated_at="")
TARGET = StoredBinding(port="p", host="h2", token="t", active=False, created_at="", updated_at="")
ALIVE, IDLE = {"alive": frozenset("c")}, {"alive": frozenset("c"), "idle": frozenset("c")}


def why(*statuses: StoredStatus, **evidence: Any) -> str:
    return why_not_answered(PORT, ROW, [ROW], statuses, Evidence(timeout=8.0, **evidence))


def why_target(**evidence: Any) -> str:
    """The reason of a second binding, for a live migration."""
    return why_not_answered(PORT, TARGET, [SOURCE, TARGET], (), Evidence(timeout=8.0, **evidence))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (why(), "check that a shim runs and serves host h2"),
        (why(trouble="etcd is out of space: compact it"), "8 s: etcd is out of space: compact it;"),
        (why(FAILURE, trouble="etcd is unreachable", answer=HELD), "8 s: c: unbind_port fails: no route to host;"),
        (why(answer=HELD, alive=frozenset("c")), "controller c still has the port for host h1 and has not let it go"),
        (why(answer=HELD), "no shim of it runs; start one, or release the port"),
        (why(answer=INACTIVE), "no shim of it runs; start one, or release the port"),
        (why(answer=CLAIMED, alive=frozenset("c")), "controller c has begun to bind it on h2 and has not finished"),
        (why(answer=CLAIMED), "has not finished, and no shim of it runs"),
        (why(answer=EARLIER, alive=frozenset("c")), "has it on h2 by an earlier request and has not bound it again"),
    ],
)
def test_the_cause_is_named(found, words):
    assert found.startswith("no controller answered within 8 s: ")
    assert words in found
    assert found.endswith("; then set host_id or device_id again")


@pytest.mark.parametrize("answer", [HELD, CLAIMED, EARLIER, INACTIVE])
def test_a_release_from_a_living_controller_is_never_advised(answer):
    assert "release" not in why(answer=answer, alive=frozenset("c"))


@pytest.mark.parametrize("evidence", [{}, ALIVE, IDLE])
def test_the_source_of_a_migration_is_not_to_be_let_go(evidence):
    found = why_target(answer=HELD, **evidence)
    assert "check that a shim runs and serves host h2" in found
    assert "release" not in found
    assert found.endswith("; then delete this binding and create it again")


@pytest.mark.parametrize("evidence", [{}, ALIVE, IDLE])
def test_a_release_that_would_take_the_source_as_well_is_not_advised(evidence):
    stale = PortAnswer.of(HELD.active, [BindingAnswer(controller="c", host_id="h3", token="older")])
    found = why_target(answer=stale, **evidence)
    assert "controller c still has the port for host h3" in found
    assert "release" not in found


def test_a_report_on_an_earlier_bind_is_no_cause():
    report = StoredStatus(source="c", state="ERROR", reason="agent dead")
    assert "c still has the port for host h1, and no shim of it runs" in why(report, answer=HELD)
    assert "agent dead" not in why(report, answer=HELD)


def test_an_answer_without_a_token_is_named():
    found = why(answer=PortAnswer(controller="c", host_id="h2", vif_type="ovs"))
    assert "controller c answered for h2 without the token of a request, so its answer was dropped" in found


@pytest.mark.parametrize("answer", [HELD, CLAIMED, EARLIER])
def test_a_shim_without_a_handler_is_named(answer):
    found = why(answer=answer, **IDLE)
    assert "its shim does not serve net-l3vpn any more, though it has a leader" in found
    assert "name net-l3vpn in [shim] handlers again" in found
    assert ("release the port: gluon-manage release net-l3vpn p;" in found) is (answer is HELD)


def test_the_advice_is_a_command_that_can_be_typed():
    assert "gluon-manage release net-l3vpn p;" in why(answer=HELD)
