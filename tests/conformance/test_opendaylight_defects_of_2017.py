"""What Gluon's OpenDaylight backend of 2017 did wrong, each as a test of this one."""

from __future__ import annotations

import logging
import re
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest

from gluon.shim.backend import Object
from gluon.shim.backends.opendaylight import dialects, paths
from gluon.shim.backends.opendaylight.options import Dialect, Flavour
from gluon.shim.plan.steps import MODIFY, Callback
from gluon.testing.conformance import Driver, NotConforming, Samples
from standins.opendaylight import DRAFT02, Fault

from .on_opendaylight import L3VPN, Lives, entries

pytestmark = pytest.mark.opendaylight


class TestDefectsOf2017(Lives):
    """Against what Neon speaks; the driver compares all that is held with what is expected after each call."""

    dialect, flavour, mode = "C", DRAFT02, L3VPN

    def neutron(self, container: str, name: str) -> dict[str, Any]:
        self.odl.settle()
        return entries(self.odl.config(foreign_too=False).get("neutron:neutron", {}), container, name)

    def writes(self) -> list[str]:
        return [unquote(each.url) for each in self.odl.requests if each.method != "GET"]

    def test_no_collection_is_written(self, driver: Driver, samples: Samples) -> None:
        """Whole lists were read, changed and written: what others wrote meanwhile was lost."""
        driver.apply(samples.network(1))
        driver.delete_all()
        single = re.compile(r"/(network|subnet|port|vpn-instance|vpn-interface|neighbors)/[^/]+$|/as-id$|-endpoint$")
        assert [url for url in self.writes() if not single.search(url)] == []

    def test_the_first_entry_is_found(self, driver: Driver, samples: Samples) -> None:
        """A match at index 0 was read as none, and appended a second time."""
        driver.apply(samples.network(1))
        before = len(self.writes())
        for obj in samples.network(1):
            driver.modify(obj)
        tunnels = [url for url in self.writes()[before:] if "endpoint" not in url]  # an RPC can't be compared
        assert tunnels == []

    def test_a_get_that_fails_creates_nothing(self, driver: Driver, samples: Samples) -> None:
        """Any error of a GET was taken for an empty list."""
        network = samples.network(1)
        driver.apply(network)
        before = self.odl.config()
        self.break_controller(Fault.UNAVAILABLE.name)
        driver.must_fail([(call, obj, None) for call, obj in self.calls(samples.network(2, full=False))])
        self.mend_controller()
        assert self.odl.config() == before

    def calls(self, network: list[Object]) -> list[tuple[Any, Object]]:
        return [(MODIFY[obj.base], obj) for obj in network if obj.type in ("VpnService", "BGPPeering")]

    def test_an_error_is_no_data(self, driver: Driver, samples: Samples) -> None:
        """Errors were swallowed, and the Response returned as if it were what had been asked for."""
        network = samples.network(1)
        driver.apply(network)
        self.break_controller(Fault.STORED_500.name)
        with pytest.raises(NotConforming, match="OpenDaylight answered GET"):
            driver.modify(next(samples.changed(obj) for obj in network if obj.type == "VpnService"))
        self.mend_controller()

    def test_no_password_is_logged(
        self, driver: Driver, samples: Samples, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(logging.DEBUG)
        driver.apply(samples.network(1))
        self.break_controller(Fault.UNAVAILABLE.name)
        said = str(driver.health())
        self.mend_controller()
        shown = caplog.text + "".join(capfd.readouterr()) + said
        assert "PUT /restconf/config" in shown
        for secret in ("Basic ", "YWRtaW46", "odl_passwd"):
            assert secret not in shown

    def test_ids_are_quoted(self) -> None:
        """See `test_keys_are_percent_encoded` as well."""
        path = dialects.instance_path(Dialect.C, "a/../b?c")
        assert all("a/.." not in paths.render(path, flavour) for flavour in Flavour)

    def test_each_vpn_has_a_network_and_a_vni_of_its_own(self, driver: Driver, samples: Samples) -> None:
        """All tenants shared one network, with VNI 42."""
        for number in (1, 2, 3):
            driver.apply(samples.network(number))
        networks = [each for each in self.neutron("networks", "network").values() if "network-type" in each]
        assert len({each["segmentation-id"] for each in networks}) == len(networks) == 3
        assert "42" not in {each["segmentation-id"] for each in networks}

    def test_overlapping_subnets_of_two_vpns(self, driver: Driver, samples: Samples) -> None:
        for number in (1, 2):
            driver.apply(samples.network(number))
        subnets = self.neutron("subnets", "subnet").values()
        assert [each["cidr"] for each in subnets] == ["10.0.0.0/24"] * 2
        assert len({each["network-id"] for each in subnets}) == 2

    def test_a_subnet_has_no_pools_and_no_foreign_dns(self, driver: Driver, samples: Samples) -> None:
        """allocation-pools was an object, and 8.8.8.8 the DNS of everybody."""
        driver.apply(samples.network(1))
        [subnet] = self.neutron("subnets", "subnet").values()
        assert not {"allocation-pools", "dns-nameservers"} & subnet.keys()

    def test_ipv6(self, driver: Driver, samples: Samples) -> None:
        driver.apply(samples.network(1))
        binding = next(obj for obj in samples.network(1) if obj.type == "VpnBinding")
        given = {"ipaddress": "2001:db8::5", "subnet_prefix": 64, "gateway": "fe80::1"}
        driver.modify(altered(binding, **given))
        [subnet] = self.neutron("subnets", "subnet").values()
        assert (subnet["cidr"], subnet["gateway-ip"]) == ("2001:db8::/64", "fe80::1")
        assert subnet["ip-version"].endswith("ip-version-v6")

    def test_route_distinguishers_are_a_list(self, driver: Driver, samples: Samples) -> None:
        """A scalar is refused from Carbon on."""
        vpn = next(obj for obj in samples.network(1, full=False) if obj.type == "VpnService")
        driver.modify(altered(vpn, route_distinguishers="65000:7,65000:8"))
        [instance] = self.of_l3vpn(self.odl.config(foreign_too=False), "instance").values()
        assert sorted(instance["ipv4-family"]["route-distinguisher"]) == ["65000:7", "65000:8"]

    def test_the_host_is_written(self, driver: Driver, samples: Samples) -> None:
        """It never was, and unbind, modify and delete of a port did nothing."""
        driver.apply(samples.network(1))
        [port] = self.neutron("ports", "port").values()
        assert port["host-id"] == self.hosts[0]
        driver.modify(samples.changed(next(obj for obj in samples.network(1) if obj.type == "Port")))
        driver.delete_all()
        assert self.neutron("ports", "port") == {}

    def test_a_binding_that_changes_leaves_nothing_where_it_was(self, driver: Driver, samples: Samples) -> None:
        """The previous binding was ignored."""
        driver.apply(samples.network(1))
        driver.apply(samples.network(2))
        binding, other = (next(obj for obj in samples.network(number) if obj.type == "VpnBinding") for number in (1, 2))
        driver.modify(altered(binding, service_id=other["service_id"], ipaddress="10.0.0.99"))
        left = {each["name"] for each in self.neutron("subnets", "subnet").values()}
        assert left == {f"gluon:subnet {other['service_id']}"}

    @pytest.mark.parametrize("kind", ["import_extcommunity", "export_extcommunity", "both"])
    @pytest.mark.parametrize("family", ["ipv4_family", "ipv6_family"])
    def test_route_targets_have_their_type_and_family(
        self, driver: Driver, samples: Samples, kind: str, family: str
    ) -> None:
        """VpnAfConfigs were ignored, all targets sent as one `both`, ipv6_family dropped."""
        network = samples.network(1)
        target = altered(next(obj for obj in network if obj.type == "VpnAfConfig"), vrf_rt_type=kind)
        vpn = next(obj for obj in network if obj.type == "VpnService")
        driver.modify(target)
        driver.modify(altered(vpn, **{"ipv4_family": None, "ipv6_family": None, family: target.key}))

    def test_an_empty_opendaylight(self, driver: Driver, samples: Samples) -> None:
        """It crashed at one without lists."""
        self.odl.empty()
        self.theirs = {}
        driver.apply(samples.network(1))

    def test_a_port_that_is_there_is_updated(self, driver: Driver, samples: Samples) -> None:
        driver.apply(samples.network(1))
        [port] = self.neutron("ports", "port").values()
        entry = {name: value for name, value in port.items() if name in ("uuid", "name", "network-id")}
        self.odl.put(("neutron:neutron", "ports"), "port", {**entry, "mac-address": "fa:16:3e:ff:ff:ff"})
        self.odl.settle()
        driver.apply_again()

    def test_nothing_is_remembered_of_a_put_that_failed(self, driver: Driver, samples: Samples) -> None:
        """Ids were kept though the PUT had failed."""
        network = samples.network(1)
        driver.apply([obj for obj in network if obj.type != "VpnBinding"])
        [binding] = [obj for obj in network if obj.type == "VpnBinding"]
        for answered in range(3):
            self.break_after(Fault.UNAVAILABLE.name, answered)
            driver.must_fail([(Callback.MODIFY_SERVICE_BINDING, binding, None)])
            self.mend_controller()
        driver.modify(binding)

    def test_a_vpn_interface_goes_before_its_port(self, driver: Driver, samples: Samples) -> None:
        driver.apply(samples.network(1))
        driver.delete_all()
        deleted = [unquote(each.url) for each in self.odl.requests if each.method == "DELETE" and each.status == 200]
        order = [name for url in deleted for name in ORDER if f"/{name}/" in url]
        assert order.index("vpn-interface") < order.index("port") < order.index("subnet")

    def test_a_restart_deletes_nothing_that_lives(self, driver: Driver, samples: Samples) -> None:
        """It tried to delete the shared network."""
        driver.apply(samples.network(1))
        before, asked = self.odl.config(), len(self.writes())
        driver.crash()
        for obj in samples.network(1):
            driver.modify(obj, know=False)
        assert self.odl.config() == before
        assert [url for url in self.writes()[asked:] if "endpoint" not in url] == []


ORDER = ("vpn-interface", "port", "subnet")


def altered(obj: Object, **attributes: Any) -> Object:
    return msgspec.structs.replace(obj, attributes={**obj.attributes, **attributes})
