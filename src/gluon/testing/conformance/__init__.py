"""The conformance suite: what every backend has to stand, as tests that a vendor subclasses.

    class TestAcme(BackendConformance):
        backend = AcmeBackend
        registered_as = "acme"

Each test makes calls in an order that the shim may use, through the shim's own `BackendCalls`, on
objects made from the proton's schema.  The suite can't see the controller behind the backend.  Where
the backend has an inventory, it is compared after each call; a vendor shows more with `expected`
and `held`, and lets the suite disturb the controller with `break_controller` and its like.

    samples     objects of any proton, made from its schema
    instances   of the backend: the life of each
    calling     makes one call, or some at once, and judges it
    driver      the verbs of the tests: modify, bind, crash, ...
    told        what they told the backend
    picture     what the controller should hold, and what it holds
    inventory   the same, as the backend itself lists it
    said        what the backend says on its own: reports
    verdict     how a backend is judged
    suite       the tests

Belongs here: what follows from the contract in `gluon.shim.backend`.  Does not belong here: the
shim's rules (when it makes which call), and anything that only one vendor promises.
"""

from gluon.testing.conformance.driver import Driver
from gluon.testing.conformance.samples import Samples
from gluon.testing.conformance.suite import BackendConformance
from gluon.testing.conformance.verdict import Bounds, NotConforming

__all__ = ["BackendConformance", "Bounds", "Driver", "NotConforming", "Samples"]
