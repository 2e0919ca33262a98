"""The tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import ClassVar

import pytest

from gluon.models import catalog
from gluon.schema import Base, Proton, Value
from gluon.shim import plugins
from gluon.shim.backend import Backend
from gluon.shim.plan import Callback
from gluon.shim.plan.steps import DELETE
from gluon.testing.conformance.driver import AFTER_A_CRASH, ONCE, TWICE, Driver, NotConforming, driving
from gluon.testing.conformance.samples import Samples
from gluon.testing.stack import Options, render

repeated = pytest.mark.parametrize("repetition", [ONCE, TWICE, AFTER_A_CRASH])


class BackendConformance:
    """Tests of one backend.  Subclass it in a test module, with a name that begins with `Test`."""

    backend: ClassVar[type[Backend]]
    """The class under test."""
    registered_as: ClassVar[str] = ""
    """Its entry point's name; when given, the suite checks that the class is installed under it."""
    proton: ClassVar[str] = "net-l3vpn"
    model_dirs: ClassVar[Sequence[Path]] = ()
    """Where to find a proton that is not shipped."""
    hosts: ClassVar[tuple[str, str]] = ("host-1", "host-2")
    """Two hosts that the backend can bind a port on."""
    patience: ClassVar[float] = 30.0
    """Seconds in which a call must be done, `RetryLater` included."""

    @pytest.fixture
    def options(self) -> Options:
        """The backend's options, by section of the configuration file.  Override as needed."""
        return {}

    def attributes(self, object_type: str) -> Mapping[str, Value]:  # noqa: ARG002 - for who overrides it
        """Attributes that samples of this type shall have, for a backend that refuses others."""
        return {}

    def left_behind(self) -> Iterable[str]:
        """What the controller still holds of a test.  Asked once everything has been deleted."""
        return ()

    @pytest.fixture
    def samples(self) -> Samples:
        """Objects of the proton."""
        proton = _proton(self.proton, tuple(self.model_dirs))
        given = {name: self.attributes(name) for name in proton.objects}
        return Samples(proton, self.hosts[0], given)

    @pytest.fixture
    def driver(self, samples: Samples, options: Options, tmp_path: Path) -> Iterator[Driver]:
        """A started backend.  Everything is deleted, and the backend stopped, after the test."""
        file = tmp_path / "conformance.conf"
        file.write_text(render(options))
        with driving(self.backend, samples.proton, file, self.patience) as driver:
            yield driver
            if driver.failed:
                return  # What is left shows how far it came.
            driver.delete_all()
            left = list(self.left_behind())
            if left:
                raise NotConforming(f"everything was deleted, but the controller still has {', '.join(left)}")

    # -- the tests -------------------------------------------------------------------------

    def test_the_shim_takes_the_class(self) -> None:
        """The signatures are right, nothing is misspelled, and the entry point leads to the class."""
        problem = plugins.wrong(self.registered_as or self.backend.__name__, self.backend)
        if problem:
            raise NotConforming(problem)
        if self.registered_as:
            found = plugins.load(self.registered_as)
            if found is not self.backend:
                raise NotConforming(f"{self.registered_as!r} is registered as {found!r}, not as {self.backend!r}")

    @repeated
    @pytest.mark.parametrize("full", [False, True], ids=["least attributes", "all attributes"])
    def test_every_callback(self, driver: Driver, samples: Samples, full: bool, repetition: str) -> None:  # noqa: FBT001 - pytest's
        """Made, changed and deleted; optional attributes may all be unset."""
        driver.repetition = repetition
        network = samples.network(1, full=full)
        for obj in network:
            driver.modify(obj)
            if obj.base is Base.PORT:
                driver.bind(obj)
        for obj in network:
            driver.modify(samples.changed(obj))
        driver.delete_all()

    @repeated
    def test_bind_port_comes_first(self, driver: Driver, samples: Samples, repetition: str) -> None:
        """A port that is created with its host is bound without a modify_port."""
        driver.repetition = repetition
        driver.bind(samples.port(1))
        driver.delete_all()

    @repeated
    def test_a_port_moves(self, driver: Driver, samples: Samples, repetition: str) -> None:
        """Off one host and onto another, its service bindings with it."""
        driver.repetition = repetition
        network = samples.network(1)
        driver.apply(network)
        bindings = [obj for obj in network if obj.base is Base.SERVICE_BINDING]
        port = driver.want(samples.port(1, host_id=self.hosts[1]))
        for binding in bindings:
            driver.delete(binding, keep=True)
        driver.unbind(port.id)
        driver.bind(port)
        for binding in bindings:
            driver.modify(binding)

    def test_bind_port_answers_the_same_again(self, driver: Driver, samples: Samples) -> None:
        """After a crash the first answer is lost, and the second one is what Nova gets."""
        port = samples.port(1)
        first = driver.bind(port)
        driver.crash()
        again = driver.bind(port)
        if first != again:
            raise NotConforming(f"bind_port of {port.id} answered {first}, and then {again}")

    def test_deleting_what_is_absent(self, driver: Driver, samples: Samples) -> None:
        """A call may have been claimed and never made; it is taken back all the same."""
        for obj in reversed(samples.network(1)):
            if obj.base is Base.PORT:
                driver.call(Callback.UNBIND_PORT, obj)
            driver.call(DELETE[obj.base], obj)

    def test_deleting_needs_no_model(self, driver: Driver, samples: Samples) -> None:
        """Everything was deleted while the shim was down: it starts with an empty model."""
        driver.apply(samples.network(1))
        driver.forget_all()
        driver.crash()
        driver.delete_all()

    def test_previous_is_none_when_it_is_not_known(self, driver: Driver, samples: Samples) -> None:
        """After a crash in the midst of the first call the shim can't know whether it was made."""
        network = samples.network(1)
        driver.apply(network)
        driver.crash()
        for obj in network:
            driver.modify(samples.changed(obj), know=False)

    def test_applied_again_without_a_change(self, driver: Driver, samples: Samples) -> None:
        """As a service is when an item of one of its lists has changed."""
        network = samples.network(1)
        driver.apply(network)
        for obj in network:
            if obj.base is not Base.PORT:
                driver.modify(obj)

    def test_what_was_deleted_comes_back(self, driver: Driver, samples: Samples) -> None:
        """The same keys, as if nothing had been."""
        network = samples.network(1)
        driver.apply(network)
        driver.delete_all()
        driver.apply(network)

    def test_different_objects_at_the_same_time(self, driver: Driver, samples: Samples) -> None:
        """Calls of one kind for many objects; nothing of one ends up at another."""
        networks = [samples.network(number) for number in range(1, 9)]
        layers = list(zip(*networks, strict=True))
        for layer in layers:
            driver.modify_together(layer)
            if layer[0].base is Base.PORT:
                driver.bind_together(layer)
        driver.forget_all()
        for layer in reversed(layers):
            driver.delete_together(layer)


@cache
def _proton(name: str, model_dirs: tuple[Path, ...]) -> Proton:
    return catalog.load([name], model_dirs)[name]
