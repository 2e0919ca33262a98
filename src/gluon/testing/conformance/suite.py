"""The tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gluon.models import catalog
from gluon.schema import Base, Proton, Value
from gluon.shim import plugins
from gluon.shim.backend import Backend, Model, Object
from gluon.shim.calls.calling import CallFailed
from gluon.shim.plan.steps import DELETE, MODIFY, Callback
from gluon.testing.conformance.driver import AFTER_A_CRASH, ONCE, TWICE, Driver, driving
from gluon.testing.conformance.picture import Picture
from gluon.testing.conformance.samples import Samples
from gluon.testing.conformance.told import Told
from gluon.testing.conformance.verdict import Bounds, NotConforming
from gluon.testing.stack import Options, render

_MOST_REQUESTS = 50
"""That one callback may make of its controller."""

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
    max_block: ClassVar[float] = 0.5
    """Seconds for which an `async def` may keep the event loop between two awaits."""

    faults: ClassVar[Sequence[str]] = ("broken",)
    """The ways in which `break_controller` can break the controller; each is tried."""

    _told: Told

    @pytest.fixture
    def options(self) -> Options:
        """The backend's options, by section of the configuration file.  Override as needed."""
        return {}

    def attributes(self, object_type: str) -> Mapping[str, Value]:  # noqa: ARG002 - for who overrides it
        """Attributes that samples of this type shall have, for a backend that refuses others."""
        return {}

    # -- what the author knows of the controller -----------------------------------------------

    def expected(self, model: Model) -> Any:  # noqa: ARG002 - for who overrides it
        """What the controller should hold, in a shape of your choice; see `held`.

        Args:
            model: what the backend was told and has done.  A port has `host_id` and `device_id` if
                it is bound; `bound` lists a second binding as well.
        """
        return None

    def held(self) -> Any:
        """What the controller holds, in the shape of `expected`.  After each call the two must be equal."""
        return None

    def bound(self) -> list[Object]:
        """For `expected`: the ports that are bound, one for each host.

        In the midst of a live migration a port is there twice; `active` tells the two apart.
        """
        return self._told.bindings

    def left_behind(self) -> Iterable[str]:
        """What the controller still holds of a test.  Asked once everything has been deleted."""
        return ()

    def break_controller(self, fault: str) -> None:
        """Makes the controller useless: it answers errors only, or not at all, or can't be reached.

        Args:
            fault: one of `faults`.
        """

    def break_after(self, fault: str, requests: int) -> None:
        """The same, once the controller has answered so many further requests."""

    def mend_controller(self) -> None:
        """Makes it useful again; it holds what it held."""

    def empty_controller(self) -> None:
        """Makes the controller lose all that it holds, as one does that was installed again."""

    # -- fixtures ------------------------------------------------------------------------------

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
        bounds = Bounds(self.patience, self.max_block)
        with driving(self.backend, samples.proton, file, bounds, self.picture()) as driver:
            yield driver
            if driver.failed:
                return  # What is left shows how far it came.
            driver.delete_all()
            left = list(self.left_behind())
            if left:
                raise NotConforming(f"everything was deleted, but the controller still has {', '.join(left)}")

    def picture(self) -> Picture | None:
        """`expected` and `held` as the driver uses them; None if the author gives neither."""
        given = [name for name in ("expected", "held") if self._overrides(name)]
        if len(given) == 1:
            raise NotConforming(f"{type(self).__name__} defines {given[0]} alone; expected and held go together")
        return Picture(self._expected, self.held) if given else None

    def _expected(self, told: Told) -> Any:
        self._told = told
        return self.expected(told.model)

    def _overrides(self, *hooks: str) -> bool:
        return all(getattr(type(self), hook) is not getattr(BackendConformance, hook) for hook in hooks)

    def _needs(self, *hooks: str) -> None:
        if not self._overrides(*hooks):
            pytest.skip(f"{type(self).__name__} does not define {', '.join(hooks)}")

    # -- the class -----------------------------------------------------------------------------

    def test_the_shim_takes_the_class(self) -> None:
        """The signatures are right, nothing is misspelled, and the entry point leads to the class."""
        problem = plugins.wrong(self.registered_as or self.backend.__name__, self.backend)
        if problem:
            raise NotConforming(problem)
        if self.registered_as:
            found = plugins.load(self.registered_as)
            if found is not self.backend:
                raise NotConforming(f"{self.registered_as!r} is registered as {found!r}, not as {self.backend!r}")

    # -- made, changed and deleted ---------------------------------------------------------------

    @repeated
    @pytest.mark.parametrize("full", [False, True], ids=["least attributes", "all attributes"])
    def test_every_callback(self, driver: Driver, samples: Samples, full: bool, repetition: str) -> None:  # noqa: FBT001 - pytest's
        """Made, changed and deleted; optional attributes may all be unset."""
        driver.repetition = repetition
        network = samples.network(1, full=full)
        for obj in network:
            if obj.base is Base.PORT:
                driver.modify(samples.unbound(obj))
                driver.bind(obj)
            else:
                driver.modify(obj)
        for obj in network:
            driver.modify(samples.changed(obj))
        driver.delete_all()

    def test_each_attribute_changes(self, driver: Driver, samples: Samples) -> None:
        """One after the other, references too.  What `expected` makes of it must be held at once."""
        other = samples.network(2)
        driver.apply(other)
        network = samples.network(1)
        driver.apply(network)
        targets = {obj.type: obj for obj in other}
        for obj in network:
            for _, changed in samples.changes(obj, targets):
                driver.modify(changed)
            driver.modify(obj)

    def test_applied_again_without_a_change(self, driver: Driver, samples: Samples) -> None:
        """As a service is when an item of one of its lists has changed."""
        network = samples.network(1)
        driver.apply(network)
        for obj in network:
            driver.modify(obj)

    def test_previous_is_none_when_it_is_not_known(self, driver: Driver, samples: Samples) -> None:
        """After a crash in the midst of the first call the shim can't know whether it was made."""
        network = samples.network(1)
        driver.apply(network)
        driver.crash()
        for obj in network:
            driver.modify(samples.changed(obj), know=False)

    def test_what_was_deleted_comes_back(self, driver: Driver, samples: Samples) -> None:
        """The same keys, as if nothing had been."""
        network = samples.network(1)
        driver.apply(network)
        driver.delete_all()
        driver.apply(network)

    def test_deleting_what_is_absent(self, driver: Driver, samples: Samples) -> None:
        """A call may have been claimed and never made; it is taken back all the same."""
        for obj in reversed(samples.network(1)):
            driver.delete_absent(obj)

    def test_deleting_needs_no_model(self, driver: Driver, samples: Samples) -> None:
        """Everything was deleted while the shim was down: it starts with an empty model."""
        driver.apply(samples.network(1))
        driver.forget_all()
        driver.crash()
        driver.delete_all()

    def test_different_objects_at_the_same_time(self, driver: Driver, samples: Samples) -> None:
        """Calls of one kind for many objects; nothing of one ends up at another."""
        networks = [samples.network(number) for number in range(1, 9)]
        layers = list(zip(*networks, strict=True))
        for layer in layers:
            if layer[0].base is Base.PORT:
                driver.bind_together(layer)
            else:
                driver.modify_together(layer)
        driver.forget_all()
        for layer in reversed(layers):
            driver.delete_together(layer)

    # -- ports and hosts -------------------------------------------------------------------------

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
        driver.unbind(samples.port(1))
        driver.bind(port)
        for binding in bindings:
            driver.modify(binding)

    @repeated
    def test_the_profile_of_a_bound_port_changes(self, driver: Driver, samples: Samples, repetition: str) -> None:
        """It is bound again without an unbind: the running VM keeps its network."""
        driver.repetition = repetition
        driver.apply(samples.network(1))
        for profile in ({"migrating_to": self.hosts[1]}, None):
            driver.bind(samples.port(1, profile=profile))

    def test_bind_port_answers_the_same_again(self, driver: Driver, samples: Samples) -> None:
        """After a crash the first answer is lost, and the second one is what Nova gets."""
        port = samples.port(1)
        first = driver.bind(port)
        driver.crash()
        again = driver.bind(port)
        if first != again:
            raise NotConforming(f"bind_port of {port.id} answered {first}, and then {again}")

    @repeated
    @pytest.mark.parametrize("outcome", ["the target takes over", "and back again", "the target is given up"])
    def test_a_live_migration(self, driver: Driver, samples: Samples, outcome: str, repetition: str) -> None:
        """Two bindings of a port: neither callback for one host touches the other.

        A backend that can't prepare a binding says `Refused`, and keeps the port where it is.
        """
        driver.repetition = repetition
        driver.apply(samples.network(1))
        source = samples.port(1)
        target = samples.port(1, host_id=self.hosts[1])
        prepared = samples.prepared(source, self.hosts[1])
        if not driver.prepare(prepared):
            return
        driver.crash()
        if outcome == "the target is given up":
            driver.unbind(prepared)
            return
        driver.activate(target)
        if outcome == "and back again":
            driver.activate(source)
            driver.unbind(target)
        else:
            driver.unbind(source)
            driver.bind(target)

    # -- a controller that is asked, away, or empty ------------------------------------------------

    def test_it_is_well(self, driver: Driver, samples: Samples) -> None:
        """`health` finds nothing wrong with a controller that can be reached, idle or at work."""
        for network in ([], samples.network(1)):
            driver.apply(network)
            problem = driver.health()
            if problem is not None:
                raise NotConforming(f"health() says {problem!r} of a controller that does what it is told")
            for reason in driver.said.losses:
                raise NotConforming(f"context.lost({reason!r}), and nothing was lost: all would be applied again")

    def test_inventory(self, driver: Driver, samples: Samples) -> None:
        """What is held is listed, by an instance that was not there when it was made; then nothing is.

        After every call of every other test the inventory is compared, too.
        """
        if not driver.writes("inventory"):
            pytest.skip("the backend has no inventory")
        if driver.inventory() is None:
            pytest.skip("inventory() returns None: it can't be asked")
        network = samples.network(1)
        driver.apply(network)
        driver.crash()
        for obj in network:
            driver.modify(samples.changed(obj))
        driver.crash()
        driver.delete_all()

    def test_an_orphan_is_deleted(self, driver: Driver, samples: Samples) -> None:
        """Nobody knows more of it than the inventory says: its key and `Held.attributes`."""
        if not driver.writes("inventory"):
            pytest.skip("the backend has no inventory")
        driver.apply(samples.network(1))
        driver.prepare(samples.prepared(samples.port(1), self.hosts[1]))
        driver.crash()
        driver.delete_orphans()

    def test_a_controller_that_can_not_be_used(self, driver: Driver, samples: Samples) -> None:
        """Every callback fails meanwhile, and none says `Refused`; after that each does its work.

        With `expected` the suite knows which callbacks have nothing to do, and so may return.
        """
        self._needs("break_controller", "mend_controller")
        network, other = samples.network(1), {obj.type: obj for obj in samples.network(2)}
        driver.apply(other.values())
        for fault in self.faults:
            with _broken(self, fault):
                self._expect_no_answers(driver)
                driver.must_fail([(_make(obj), driver.want(obj), None) for obj in network])
            driver.apply(network)
            with _broken(self, fault):
                driver.must_fail(list(self._changes_with_work(driver, samples, network, other)))
                driver.must_fail([(_take_away(obj), obj, None) for obj in reversed(network)])
            driver.apply(network)
            for obj in reversed(network):
                driver.delete(obj)

    def test_a_request_that_fails(self, driver: Driver, samples: Samples) -> None:
        """The first request of a callback, then the second, ...: it fails, or has done all of its work."""
        self._needs("break_after", "mend_controller", "expected", "held")
        network, other = samples.network(1), {obj.type: obj for obj in samples.network(2)}
        driver.apply(other.values())
        for fault in self.faults:
            for obj in network:
                self._make_with_faults(driver, fault, _make(obj), driver.want(obj))
            for callback, changed, previous in list(self._changes_with_work(driver, samples, network, other)):
                self._make_with_faults(driver, fault, callback, driver.want(changed), previous)
            for obj in reversed(network):
                if obj.base is Base.PORT:
                    self._make_with_faults(driver, fault, Callback.UNBIND_PORT, obj)
                self._make_with_faults(driver, fault, DELETE[obj.base], driver.told.applied[obj.id])

    def test_a_controller_that_came_back_empty(self, driver: Driver, samples: Samples) -> None:
        """Everything is applied to it again; nothing relies on the controller having it already.

        Who can list what it holds finds out in the next audit; who can't has to call `context.lost`.
        """
        self._needs("empty_controller")
        driver.apply(samples.network(1))
        driver.prepare(samples.prepared(samples.port(1), self.hosts[1]))
        self.empty_controller()
        if not driver.writes("inventory"):
            driver.must_hear_of_loss()
        driver.apply_again()

    def _changes_with_work(
        self, driver: Driver, samples: Samples, network: Iterable[Object], other: Mapping[str, Object]
    ) -> Iterator[tuple[Callback, Object, Object | None]]:
        """For each object a change that the controller has to hear of."""
        for obj in network:
            calls = ((MODIFY[obj.base], changed, obj) for _, changed in samples.changes(obj, other))
            yield from [call for call in calls if driver.has_work(*call)][:1]

    def _make_with_faults(
        self, driver: Driver, fault: str, callback: Callback, obj: Object, previous: Object | None = None
    ) -> None:
        for answered in range(_MOST_REQUESTS):
            self.break_after(fault, answered)
            try:
                done = driver.attempt(callback, obj, previous)
            finally:
                self.mend_controller()
            if done:
                driver.follow(obj)
                return
        raise NotConforming(f"{callback} {obj.id} had not succeeded after {_MOST_REQUESTS} requests")

    def _expect_no_answers(self, driver: Driver) -> None:
        """What is asked of a controller that can't be used has no answer."""
        if driver.writes("health") and driver.health() is None:
            raise NotConforming("health() says nothing of a controller that can't be used")
        if driver.writes("inventory"):
            try:
                found = driver.inventory()
            except CallFailed:
                return
            raise NotConforming(f"inventory() returned {found!r} of a controller that can't be used; it has to raise")


@contextmanager
def _broken(suite: BackendConformance, fault: str) -> Iterator[None]:
    suite.break_controller(fault)
    try:
        yield
    finally:
        suite.mend_controller()


def _make(obj: Object) -> Callback:
    return Callback.BIND_PORT if obj.base is Base.PORT else MODIFY[obj.base]


def _take_away(obj: Object) -> Callback:
    return Callback.UNBIND_PORT if obj.base is Base.PORT else DELETE[obj.base]


@cache
def _proton(name: str, model_dirs: tuple[Path, ...]) -> Proton:
    return catalog.load([name], model_dirs)[name]
