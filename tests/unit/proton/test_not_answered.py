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
FAILURE = StoredStatus(source="c", reason="unbind_port fails: no route to host")


def why(*statuses: StoredStatus, **evidence: Any) -> str:
    return why_not_answered(PORT, ROW, statuses, Evidence(timeout=8.0, **evidence))


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


def test_the_advice_is_a_command_that_can_be_typed():
    assert "gluon-manage release net-l3vpn p;" in why(answer=HELD)
