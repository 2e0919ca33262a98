"""The OpenDaylight backend conforms, against a stand-in of each release, in both modes."""

from __future__ import annotations

import pytest

from gluon.schema import Base
from gluon.shim.plan.steps import MODIFY, Callback
from gluon.testing.conformance import BackendConformance, Driver, Samples
from standins.opendaylight import DRAFT02, RFC8040, Fault

from .on_opendaylight import BGPVPN, L3VPN, Lives, OnOpenDaylight

pytestmark = pytest.mark.opendaylight

MAKE = {Base.PORT: Callback.BIND_PORT}


class TestNeon(OnOpenDaylight):
    dialect, flavour, mode = "C", DRAFT02, L3VPN


class TestAluminium(OnOpenDaylight):
    dialect, flavour, mode = "E", RFC8040, BGPVPN


RELEASES = [
    *(("A", DRAFT02), ("B1", DRAFT02), ("B2", DRAFT02)),
    *((dialect, flavour) for dialect in ("C", "D", "E") for flavour in (DRAFT02, RFC8040)),
]


class TestEveryRelease(Lives):
    """Each model of VPNs, in each RESTCONF that it comes with, in both modes."""

    @pytest.fixture(
        autouse=True, params=[(*release, mode) for release in RELEASES for mode in (L3VPN, BGPVPN)], ids=str
    )
    def of(self, request: pytest.FixtureRequest) -> None:
        self.dialect, self.flavour, self.mode = request.param


class TestAluminiumWithoutAssociations(Lives):
    """Its first release."""

    dialect, flavour, mode, associations = "E", DRAFT02, BGPVPN, False


class TestVlans(Lives):
    """Interfaces that are one VLAN of their port; trunks came with Carbon."""

    vlan = 101

    @pytest.fixture(autouse=True, params=[("A", BGPVPN), ("C", BGPVPN), ("C", L3VPN), ("E", L3VPN)], ids=str)
    def of(self, request: pytest.FixtureRequest) -> None:
        self.flavour = DRAFT02
        self.dialect, self.mode = request.param


class TestOtherFaults(Lives):
    """Silence, refused connections, a lock that is held, writes that are stored and answered 500."""

    dialect, flavour, mode = "C", DRAFT02, L3VPN
    faults = (Fault.SILENT.name, Fault.REFUSED.name)
    test_it = BackendConformance.test_a_controller_that_can_not_be_used

    @pytest.mark.parametrize("fault", [Fault.LOCK_DENIED, Fault.STORED_500])
    def test_a_write_that_fails(self, driver: Driver, samples: Samples, fault: Fault) -> None:
        for obj in samples.network(1):
            self.odl.break_down(fault)
            made = [(MAKE.get(obj.base, MODIFY[obj.base]), driver.want(obj), None)]
            driver.must_fail(made)
            self.mend_controller()
            driver.apply([obj])
