"""The brake: what came back from a loss deletes nothing in bulk, and what users delete passes."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import pytest

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.shim.plan import Call, next_steps
from gluon.shim.state import State
from gluon.shim.terms.brake import Brake, Limits

from .samples import L3VPN, OURS, SFC, applied, bound, name, port, sample

LIMITS = Limits(percent=25.0, few=10)


class Shim:
    """A state with so many services applied and wanted, and its brake."""

    def __init__(self, number: int, limits: Limits = LIMITS) -> None:
        self.state, self.other = State(L3VPN), State(SFC)
        self.woken: dict[str, list[ObjectKey]] = {}
        self.brake = Brake({L3VPN.name: self.state, SFC.name: self.other}, OURS, limits, self._wake)
        for each in range(number):
            obj = sample("VpnService", each)
            self.state.record(obj.id, applied(obj))
            self.state.desire(obj)

    def _wake(self, proton: str, concerned: Iterable[ObjectKey]) -> None:
        self.woken.setdefault(proton, []).extend(concerned)

    def withdraw(self, *numbers: int) -> None:
        for number in numbers:
            self.state.forget(name("VpnService", number))

    def want(self, *numbers: int) -> None:
        for number in numbers:
            self.state.desire(sample("VpnService", number))

    def deleted(self) -> set[ObjectKey]:
        """What the plan deletes at this moment."""
        return {
            key
            for key in set(self.state.keys())
            if any(isinstance(step, Call) and step.callback.removes for step in next_steps(key, self.state, OURS))
        }


def services(*numbers: int) -> set[ObjectKey]:
    return {name("VpnService", number) for number in numbers}


@pytest.mark.parametrize(
    ("doomed", "of", "exceeded"),
    [
        (10, 10, False),
        (11, 11, True),
        (11, 44, False),
        (11, 43, True),
        (25, 100, False),
        (26, 100, True),
        (0, 0, False),
        (11, 0, True),
    ],
)
def test_too_much_is_more_than_a_few_and_more_than_the_percentage(doomed: int, of: int, *, exceeded: bool) -> None:
    assert LIMITS.exceeded(doomed, of) == exceeded


def test_a_percentage_of_a_hundred_never_holds_and_one_of_none_always() -> None:
    assert not Limits(percent=100.0).exceeded(1000, 1000)
    assert Limits(percent=0.0).exceeded(11, 100_000)


def test_nothing_that_is_absent_goes_while_etcd_is_filled() -> None:
    shim = Shim(20)
    shim.brake.hold_absent("proton-server is filling etcd")
    shim.withdraw(*range(20))
    assert shim.deleted() == set()
    assert shim.brake.reason == "proton-server is filling etcd"
    assert not shim.brake.asks
    shim.brake.recheck()
    assert shim.deleted() == set()
    shim.want(*range(18))
    shim.brake.judge("etcd was filled again")
    assert shim.brake.reason == ""
    assert shim.deleted() == services(18, 19)
    assert set(shim.woken[L3VPN.name]) == services(18, 19)


def test_too_much_is_held_back_and_what_users_delete_afterwards_passes() -> None:
    shim = Shim(60)
    shim.brake.hold_absent("proton-server is filling etcd")
    shim.withdraw(*range(30))
    shim.brake.judge("etcd was filled again")
    assert shim.brake.reason == (
        "etcd was filled again: 30 of 60 applied objects would be deleted, more than 25 %; look whether that is "
        "right, then `gluon-manage accept`"
    )
    assert shim.brake.asks
    assert shim.deleted() == set()
    shim.withdraw(59)
    assert shim.deleted() == services(59)


def test_an_operators_word_lets_it_go() -> None:
    shim = Shim(60)
    shim.withdraw(*range(30))
    shim.brake.judge("etcd was filled again")
    shim.woken.clear()
    assert shim.brake.accept() == 30
    assert (shim.brake.reason, shim.brake.asks) == ("", False)
    assert shim.deleted() == services(*range(30))
    assert set(shim.woken[L3VPN.name]) == services(*range(30))


def test_what_comes_back_is_no_longer_held_back() -> None:
    shim = Shim(60)
    shim.withdraw(*range(30))
    shim.brake.judge("etcd was filled again")
    shim.brake.recheck()
    assert shim.brake.asks
    shim.want(*range(15, 30))
    shim.brake.recheck()  # 15 of 60 are no more than a quarter.
    assert (shim.brake.reason, shim.brake.asks) == ("", False)
    assert shim.deleted() == services(*range(15))


def test_what_users_delete_does_not_count_for_what_is_held_back() -> None:
    shim = Shim(60)
    shim.withdraw(*range(16))
    shim.brake.judge("etcd was filled again")
    shim.withdraw(*range(40, 60))
    shim.want(*range(8))
    shim.brake.recheck()
    assert not shim.brake.asks
    assert shim.deleted() == services(*range(8, 16), *range(40, 60))


def test_a_recheck_without_a_brake_changes_nothing() -> None:
    shim = Shim(60)
    shim.withdraw(*range(30))
    shim.brake.recheck()
    assert shim.woken == {}
    assert shim.deleted() == services(*range(30))


def test_a_binding_counts_and_its_port_is_looked_at_again() -> None:
    shim = Shim(0, Limits(percent=25.0, few=0))
    shim.state.record(port().id, applied(port()))
    shim.state.record(keys.binding(port().id, "host-1"), bound(port()))
    shim.brake.judge("etcd was filled again")
    assert "2 of 2 applied objects" in shim.brake.reason
    assert shim.woken[L3VPN.name] == [port().id]
    assert shim.deleted() == set()


def test_a_host_that_is_no_longer_ours_counts() -> None:
    shim = Shim(0, Limits(percent=25.0, few=0))
    shim.state.desire(port(host="foreign"))
    shim.state.record(keys.binding(port().id, "host-1"), bound(port()))
    shim.brake.judge("etcd was filled again")
    assert shim.brake.asks
    assert shim.deleted() == set()


def test_all_protons_count_together() -> None:
    shim = Shim(60)
    for number in range(60):
        obj = sample("ServiceFunction", number, SFC)
        shim.other.record(obj.id, applied(obj))
        shim.other.desire(obj)
    shim.withdraw(*range(30))
    shim.brake.judge("etcd was filled again")  # 30 of 120 are no more than a quarter.
    assert not shim.brake.asks
    shim.other.forget(name("ServiceFunction", 0, SFC))
    shim.brake.judge("etcd was filled again")
    assert shim.brake.asks
    assert shim.other.held_back == {name("ServiceFunction", 0, SFC)}


# -- orphans ---------------------------------------------------------------------------------------------


def test_few_orphans_pass_and_many_wait() -> None:
    shim = Shim(60)
    assert not shim.brake.refuses(L3VPN.name, 10)
    assert not shim.brake.refuses(L3VPN.name, 20)  # Of 80 objects that are held.
    assert shim.brake.reason == ""
    assert shim.brake.refuses(L3VPN.name, 21)
    assert shim.brake.reason == (
        "an audit of net-l3vpn: the SDN controller holds 21 objects that nobody knows, beside 60 that are applied; "
        "look whether they may go, then `gluon-manage accept`"
    )
    assert not shim.brake.refuses(L3VPN.name, 5)
    assert shim.brake.reason == ""


def test_the_orphans_of_one_proton_are_not_those_of_another() -> None:
    shim = Shim(60)
    assert shim.brake.refuses(L3VPN.name, 40)
    assert shim.brake.refuses(SFC.name, 11)
    assert not shim.brake.refuses(L3VPN.name, 0)
    assert "an audit of ietf-sfc" in shim.brake.reason
    assert "an audit of net-l3vpn" not in shim.brake.reason


def test_all_that_is_held_back_is_said_and_accepted_together() -> None:
    shim = Shim(60)
    shim.withdraw(*range(30))
    shim.brake.judge("etcd was filled again")
    assert shim.brake.refuses(L3VPN.name, 40)
    assert len(shim.brake.reason.split("; an audit of ")) == 2
    shim.brake.accept()
    assert shim.brake.reason == ""


def test_it_is_said_once_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    shim = Shim(60)
    with caplog.at_level(logging.INFO):
        shim.brake.hold_absent("proton-server is filling etcd")
        shim.brake.hold_absent("proton-server is filling etcd")
        shim.brake.judge("etcd was filled again")
        shim.brake.recheck()
    assert caplog.messages == [
        "deletions are held back: proton-server is filling etcd",
        "deletions are no longer held back",
    ]
