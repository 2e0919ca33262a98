"""The conformance suite: what every backend has to stand, as tests that a vendor subclasses.

    class TestAcme(BackendConformance):
        backend = AcmeBackend
        registered_as = "acme"

Each test makes calls in an order that the shim may use, through the shim's own `BackendCalls`, on
objects made from the proton's schema.  What a controller does with them the suite can't see; a
vendor shows it with `left_behind`.

Belongs here: what follows from the contract in `gluon.shim.backend`.  Does not belong here: the
shim's rules (when it makes which call), and anything that only one vendor promises.
"""

from gluon.testing.conformance.driver import Driver, NotConforming
from gluon.testing.conformance.samples import Samples
from gluon.testing.conformance.suite import BackendConformance

__all__ = ["BackendConformance", "Driver", "NotConforming", "Samples"]
