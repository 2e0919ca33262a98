"""What the OpenDaylight backend does beside its callbacks: it waits, looks, reports, and makes few requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from gluon.shim.backend import Object
from gluon.shim.plan.steps import MODIFY, Call
from gluon.testing.conformance import Driver, NotConforming, Samples
from standins.opendaylight import DRAFT02, Fault

from .on_opendaylight import BGPVPN, L3VPN, Lives

pytestmark = pytest.mark.opendaylight


class OnItsOwn(Lives):
    dialect, flavour, mode = "C", DRAFT02, L3VPN
    poll_interval = 0.05
    settle_timeout = 0.6

    def wait(self, driver: Driver, is_so: Callable[[], Any]) -> Any:
        """Lets the backend's own tasks run until it is so."""
        deadline = time.monotonic() + 10
        while not (found := is_so()):
            assert time.monotonic() < deadline
            driver._instances.run(asyncio.sleep(0.02))  # noqa: SLF001 - its event loop runs in calls only
        return found


class TestWatching(OnItsOwn):
    def test_a_port_that_comes_up_and_goes_down_is_reported(self, driver: Driver, samples: Samples) -> None:
        driver.apply(samples.network(1))
        port = samples.port(1)
        told = driver.said.states
        self.odl.plug(port.key)
        self.wait(driver, lambda: told.get(("Port", port.key)) == ("ACTIVE", ""))
        self.odl.unplug(port.key)
        assert "link" in self.wait(
            driver, lambda: told[("Port", port.key)][0] == "DOWN" and told[("Port", port.key)][1]
        )
        self.odl.plug(port.key)
        self.wait(driver, lambda: told[("Port", port.key)][0] == "ACTIVE")

    def test_the_port_of_another_user_is_not_reported(self, driver: Driver, samples: Samples) -> None:
        driver.apply(samples.network(1))
        [theirs] = self.theirs["neutron:neutron"]["ports"]["port"]
        self.odl.plug(theirs)
        self.odl.plug(samples.port(1).key)
        self.wait(driver, lambda: driver.said.states)
        assert set(driver.said.states) == {("Port", samples.port(1).key)}

    def test_an_unbound_port_is_not_reported(self, driver: Driver, samples: Samples) -> None:
        driver.apply(samples.network(1))
        self.odl.plug(samples.port(1).key)
        self.wait(driver, lambda: driver.said.states)
        driver.delete_all()
        driver.said.states.clear()
        driver._instances.run(asyncio.sleep(0.3))  # noqa: SLF001 - its event loop runs in calls only
        assert driver.said.states == {}

    def test_one_that_came_back_empty_is_told_once(self, driver: Driver, samples: Samples) -> None:
        driver.apply(samples.network(1))
        self.wait(driver, lambda: "gluon:shim" in str(self.odl.config()))
        self.empty_controller()
        self.wait(driver, lambda: driver.said.losses)
        driver._instances.run(asyncio.sleep(0.3))  # noqa: SLF001 - its event loop runs in calls only
        assert driver.said.losses == ["OpenDaylight came back without what it held"]
        driver.apply_again()

    @pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.REFUSED, Fault.SILENT])
    def test_one_that_was_away_has_lost_nothing(self, driver: Driver, samples: Samples, fault: Fault) -> None:
        driver.apply(samples.network(1))
        self.break_controller(fault.name)
        driver._instances.run(asyncio.sleep(0.5))  # noqa: SLF001 - its event loop runs in calls only
        assert driver.health()
        self.mend_controller()
        self.wait(driver, lambda: driver.health() is None)
        assert driver.said.losses == []


class TestSuccessIsMoreThan2xx(OnItsOwn):
    """What netvirt has not made is told, and made as soon as netvirt works again."""

    @pytest.fixture(autouse=True, params=[L3VPN, BGPVPN])
    def of(self, request: pytest.FixtureRequest) -> None:
        self.mode = request.param

    def test_netvirt_is_dead(self, driver: Driver, samples: Samples) -> None:
        driver.apply([obj for obj in samples.network(1) if obj.type not in ("VpnBinding", "VpnService")])
        # A network that joined a BGPVPN meanwhile joins when netvirt starts again, not by another write.
        tried = ("VpnService",) if self.mode == BGPVPN else ("VpnService", "VpnBinding")
        for obj in samples.network(1):
            if obj.type in tried:
                self.odl.netvirt = "dead"
                call = Call(MODIFY[obj.base], driver.want(obj))
                [error] = driver._calling.attempts([call], driver.model)  # noqa: SLF001 - to see why it fails
                assert error is not None
                assert "netvirt has made no" in error.reason
                assert error.delay is not None
                self.odl.netvirt = "alive"
                driver.modify(obj)


class TestDrift(OnItsOwn):
    """What was deleted or changed by hand is another fingerprint, and comes back when it is applied again."""

    @pytest.fixture(autouse=True, params=[L3VPN, BGPVPN])
    def of(self, request: pytest.FixtureRequest) -> None:
        self.mode = request.param

    @pytest.mark.parametrize(
        ("containers", "name"),
        [
            (("neutron:neutron", "networks"), "network"),
            (("neutron:neutron", "subnets"), "subnet"),
            (("neutron:neutron", "ports"), "port"),
            (("l3vpn:vpn-instances",), "vpn-instance"),
            (("l3vpn:vpn-interfaces",), "vpn-interface"),
            (("ebgp:bgp",), "neighbors"),
        ],
    )
    def test_deleted_by_hand(self, driver: Driver, samples: Samples, containers: tuple[str, ...], name: str) -> None:
        driver.apply(samples.network(1))
        tree: Any = self.odl.config(foreign_too=False)
        for container in containers:
            tree = tree[container]
        key = next(key for key, each in tree[name].items() if name != "network" or "network-type" in each)
        self.odl.remove(containers, name, key)
        self.odl.settle()
        with pytest.raises(NotConforming, match=r"lacks|has|inventory"):
            driver.compare()
        driver._calling.failed = False  # noqa: SLF001 - what was found wrong is the test's own doing
        assert driver._inventory_problem()  # noqa: SLF001 - an audit sees it
        driver.apply_again()


class TestManyMembers(OnItsOwn):
    """Of one VPN."""

    members = 100

    def test_requests_grow_linearly(self, driver: Driver, samples: Samples) -> None:
        networks = [samples.network(number) for number in range(1, self.members + 1)]
        first = networks[0]
        [vpn] = [obj for obj in first if obj.type == "VpnService"]
        ports, interfaces, bindings = ([obj for each in networks for obj in each if obj.type == kind] for kind in KINDS)
        bindings = [self.of_vpn(each, vpn, bindings[0], number) for number, each in enumerate(bindings)]
        driver.apply([obj for obj in first if obj.type in ("VpnAfConfig", "VpnService")])
        for each in (*ports, *interfaces, *bindings):
            driver.want(each)
        asked = len(self.odl.requests)
        driver.bind_together(ports)
        driver.modify_together(interfaces)
        driver.modify_together(bindings)
        driver.compare()
        made = len([each for each in self.odl.requests[asked:] if "modules" not in each.url])
        print(f"{made / self.members:.2f} requests a member")
        assert made <= 6 * self.members + 20  # three inventories, and what the first members find missing
        driver.forget_all()
        driver.delete_together(bindings)

    @staticmethod
    def of_vpn(binding: Object, vpn: Object, first: Object, number: int) -> Object:
        given = {"service_id": vpn.key, "tenant_id": first["tenant_id"], "ipaddress": f"10.0.0.{number + 20}"}
        return replace(binding, attributes={**binding.attributes, **given})


KINDS = ("Port", "Interface", "VpnBinding")
