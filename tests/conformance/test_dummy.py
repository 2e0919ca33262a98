"""The dummy backend conforms, whatever the proton."""

from __future__ import annotations

from gluon.shim.backends.dummy import DummyBackend
from gluon.testing.conformance import BackendConformance


class TestDummy(BackendConformance):
    backend = DummyBackend
    registered_as = "dummy"


class TestDummyWithIetfSfc(BackendConformance):
    backend = DummyBackend
    proton = "ietf-sfc"


class TestDummyWithEveryAttribute(BackendConformance):
    backend = DummyBackend
    proton = "test"
