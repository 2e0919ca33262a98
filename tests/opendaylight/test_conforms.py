"""The parts of the conformance suite that change most, on the real OpenDaylight.

All of it would take a quarter of an hour; faults and crashes at every request are the stand-in's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from conformance.on_opendaylight import L3VPN, Lives
from gluon.testing.conformance import BackendConformance
from gluon.testing.conformance.picture import Picture
from gluon.testing.conformance.told import Told
from gluon.testing.stack import Options
from gluon.testing.waiting import until
from lab.controller import OpenDaylight
from standins.opendaylight import DRAFT02

from .real import Real
from .running import unproven

FOLLOWS = 30.0
"""Seconds in which netvirt has followed."""

pytestmark = pytest.mark.timeout(600)


class PatientPicture(Picture):
    """netvirt follows in its own time."""

    def difference(self, told: Told) -> str:
        """As it is when netvirt has followed."""
        seen: list[str] = []

        def is_none() -> bool:
            seen[:] = [super(PatientPicture, self).difference(told)]
            return seen == [""]

        try:
            until(is_none, "OpenDaylight holds what it was told", FOLLOWS)
        except AssertionError:
            return seen[0]
        return ""


@unproven
class TestNeon(Lives):
    dialect, flavour, mode = "C", DRAFT02, L3VPN
    patience = 240.0

    test_different_objects_at_the_same_time = BackendConformance.test_different_objects_at_the_same_time
    test_an_orphan_is_deleted = BackendConformance.test_an_orphan_is_deleted
    test_deleting_needs_no_model = BackendConformance.test_deleting_needs_no_model

    @pytest.fixture
    def options(self, opendaylight: OpenDaylight) -> Iterator[Options]:
        opendaylight.start()
        with Real(opendaylight.url, opendaylight.user, opendaylight.password) as real:
            self.odl: Any = real
            real.add_foreign()
            self.theirs = real.foreign()
            yield {"shim_odl": {"odl_passwd": opendaylight.password, "odl_poll_interval": 60, "vni_range": "100:131"}}

    def picture(self) -> Picture | None:
        picture = super().picture()
        assert picture is not None
        return PatientPicture(picture._expected, picture._held)  # noqa: SLF001 - the same, with patience

    def left_behind(self) -> Iterable[str]:
        left: list[str] = []

        def is_none() -> bool:
            left[:] = self.odl.ours()
            return not left

        try:
            until(is_none, "nothing is left", FOLLOWS)
        except AssertionError:
            return left
        return ()
