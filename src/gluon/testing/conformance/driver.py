"""Calls a backend as the shim does, without a shim."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gluon.process import config
from gluon.schema import Base, Proton
from gluon.shim.backend import Backend, Binding, Context, Held, Model, Object
from gluon.shim.calls.calling import CallFailed
from gluon.shim.options import OPTIONS
from gluon.shim.plan.steps import DELETE, MODIFY, Call, Callback
from gluon.testing.conformance import inventory
from gluon.testing.conformance.calling import Calling
from gluon.testing.conformance.picture import Picture
from gluon.testing.conformance.said import Said
from gluon.testing.conformance.told import Told, binding_key
from gluon.testing.conformance.verdict import Bounds, NotConforming, WasRefused
from gluon.testing.waiting import auntil

_OF_OBJECTS = (Callback.MODIFY_OBJECT, Callback.DELETE_OBJECT)

ONCE, TWICE, AFTER_A_CRASH = "once", "twice", "again after a crash"
"""How often each call is made, and by which instance."""


class Driver:
    """Calls a backend as the shim does, and knows what it has been told.

    Whoever calls one of its methods in the shim's place need not compare: after each, what the
    controller holds is compared with what it should hold, as far as the backend lets that be seen.

    Args:
        backend: the class.
        proton: whose objects come.
        conf: the options, with those of the backend.
        bounds: how long the backend may take.
        picture: what the author says of the controller; None: nothing.
    """

    def __init__(
        self, backend: type[Backend], proton: Proton, conf: Any, bounds: Bounds, picture: Picture | None = None
    ) -> None:
        self.said = Said(proton)
        context = Context(controller="conformance", proton=proton, conf=conf, reports=self.said)
        self._bounds = bounds
        self._calling = Calling(backend, context, bounds)
        self._instances = self._calling.instances
        self._picture = picture
        self._proton = proton
        self.told = Told(proton)
        """What the backend was told."""
        self.model = Model(proton)
        """What is wanted: each callback is given it."""
        self.repetition = ONCE

    @property
    def failed(self) -> bool:
        """A call has failed: what the backend holds is not known any more."""
        return self._calling.failed

    def start(self) -> None:
        """Starts the first instance.

        Raises:
            NotConforming: the shim would not start.
        """
        self._instances.start()

    def crash(self) -> None:
        """The process dies and another one starts: a new instance, that remembers nothing.

        The old one is stopped only at the end of the test, since a crash stops nothing.
        """
        self._instances.start()
        self.compare()

    def close(self) -> None:
        """Stops every instance.

        Raises:
            NotConforming: one can't be stopped.
        """
        self._instances.close()

    # -- what is wanted --------------------------------------------------------------------

    def want(self, obj: Object) -> Object:
        """The object is in the model from now on, as given."""
        self.model = self.model.having(obj)
        return obj

    def forget_all(self) -> None:
        """Nothing is wanted any more."""
        self.model = Model(self._proton)

    # -- what the backend is told ----------------------------------------------------------

    def apply(self, network: Iterable[Object]) -> None:
        """Makes all of it; ports are bound."""
        for obj in network:
            if obj.base is Base.PORT:
                self.bind(obj)
            else:
                self.modify(obj)

    def apply_again(self) -> None:
        """Makes all that was applied once more, as after the controller has lost it."""
        for obj in self.told.applied.values():
            bound = self.told.bindings_of(obj.id)
            for port in bound:
                self._call(Callback.BIND_PORT, port)
            if not bound:
                self._call(MODIFY[obj.base], obj)
        self.compare()

    def modify(self, obj: Object, *, know: bool = True) -> None:
        """The object is wanted as given, and so is whatever has it in a list.

        Args:
            obj: the object.
            know: False: nobody knows what it was before.
        """
        previous = self.told.applied.get(obj.id) if know else None
        call, before = Call(MODIFY[obj.base], obj, previous), self.told
        self._call(MODIFY[obj.base], self.want(obj), previous)
        self.follow(obj)
        if self.writes("inventory") and self._has_work(call, before) and not self._is_told_apart(before):
            raise self._calling.wrong(
                call, "changed what the controller should hold, and no fingerprint() has changed: no audit would see it"
            )

    def follow(self, item: Object) -> None:
        """Applies again whatever has the object in a list, since it is part of what that means."""
        for whole in self.told.naming(item):
            self._call(MODIFY[whole.base], whole, whole)
        self.compare()

    def bind(self, port: Object) -> Binding | None:
        """Binds the port on its host, where it carries the traffic from now on."""
        answer = self._call(Callback.BIND_PORT, self.want(port))
        self.compare()
        return answer

    def prepare(self, port: Object) -> bool:
        """Binds the port on a host that does not carry its traffic yet.

        Returns:
            Whether the backend can do that: False when it refuses.
        """
        try:
            self._call(Callback.BIND_PORT, port)
        except WasRefused:
            self._calling.failed = False
            return False
        finally:
            if not self.failed:
                self.compare()
        return True

    def activate(self, port: Object) -> None:
        """The traffic has moved to a host that was prepared; the old one is left as it is."""
        self._call(Callback.BIND_PORT, self.want(port))
        self._call(Callback.MODIFY_PORT, port, port)
        for binding in self.told.taking_part(port):
            self._call(MODIFY[binding.base], binding, binding)
        self.compare()

    def unbind(self, port: Object) -> None:
        """Takes the port off the host that it is given with."""
        self._call(Callback.UNBIND_PORT, self.told.bound[binding_key(port)])
        self.compare()

    def delete(self, obj: Object, *, keep: bool = False) -> None:
        """Deletes what is applied; `keep` leaves it in the model, as when a port is to be unbound."""
        if not keep:
            self.model = self.model.lacking(obj.id)
        for port in self.told.bindings_of(obj.id):
            self.unbind(port)
        self._call(DELETE[obj.base], self.told.applied[obj.id])
        self.compare()

    def delete_all(self) -> None:
        """Deletes what is left, whatever depends on others first."""
        for obj in reversed(list(self.told.applied.values())):
            self.delete(obj)

    def delete_absent(self, obj: Object) -> None:
        """Takes back what was never made: a port's bind, too."""
        if obj.base is Base.PORT:
            self._call(Callback.UNBIND_PORT, obj)
        self._call(DELETE[obj.base], obj)
        self.compare()

    def delete_orphans(self) -> None:
        """Deletes all that the inventory lists, of which nothing is known but what it says."""
        self.forget_all()
        found = inventory.orphans(self._proton, self.inventory() or [])
        for obj in _distinct(found):
            for port in found:
                if port.id == obj.id and port.base is Base.PORT:
                    self._call(Callback.UNBIND_PORT, port)
            self._call(DELETE[obj.base], obj)
        self.told = Told(self._proton)
        self.compare()

    def modify_together(self, objects: Sequence[Object]) -> None:
        """Modifies all of them at once."""
        applied = self.told.applied
        self._together([Call(MODIFY[o.base], self.want(o), applied.get(o.id)) for o in _distinct(objects)])

    def bind_together(self, ports: Sequence[Object]) -> None:
        """Binds all of them at once."""
        self._together([_named(Callback.BIND_PORT, self.want(port)) for port in ports])

    def delete_together(self, objects: Sequence[Object]) -> None:
        """Unbinds the ports among them at once, then deletes all of them at once."""
        found = _distinct(objects)
        bound = [port for obj in found for port in self.told.bindings_of(obj.id)]
        self._together([_named(Callback.UNBIND_PORT, port) for port in bound])
        self._together([Call(DELETE[obj.base], self.told.applied[obj.id]) for obj in found])

    def attempt(self, callback: Callback, obj: Object, previous: Object | None = None) -> bool:
        """Makes a call once.

        Returns:
            Whether it succeeded, and not whether the controller holds what it should; see `compare`.
        """
        call = _named(callback, obj, previous)
        [error] = self._calling.attempts([call], self.model)
        if error is None:
            self.told = self.told.after(call)
        return error is None

    def must_fail(self, calls: Iterable[tuple[Callback, Object, Object | None]]) -> None:
        """Makes calls for different objects at once while the controller can't be used.

        Each must fail, if it has to change anything at the controller.
        """
        due, told = [], self.told
        for each in calls:
            call = _named(*each)
            if self._has_work(call, told):
                due.append(call)
            told = told.after(call)  # One may need what another one would have made.
        for call, error in zip(due, self._calling.attempts(due, self.model), strict=True):
            if error is None:
                raise self._calling.wrong(call, "returned while the controller could not be used: the error was lost")
            if error.refused and not call.callback.removes:
                said = f"raised Refused while the controller could not be used: {error.reason}"
                raise self._calling.wrong(call, f"{said}. It would not be made again; raise RetryLater")

    def has_work(self, callback: Callback, obj: Object, previous: Object | None = None) -> bool:
        """Whether the call has to change anything at the controller, as far as that is known."""
        return self._has_work(_named(callback, obj, previous), self.told)

    # -- what is asked -----------------------------------------------------------------------

    def inventory(self) -> list[Held] | None:
        """What the backend lists of its controller; None: it can't be asked.

        Raises:
            CallFailed: it can't be asked now.
        """
        return self._instances.run(self._instances.calls.inventory())

    def health(self) -> str | None:
        """Why the backend's controller can't be reached; None: it can."""
        return self._instances.run(self._instances.calls.health())

    def must_hear_of_loss(self) -> None:
        """Waits until the backend says that its controller came back empty.

        Raises:
            NotConforming: it does not.
        """
        patience = self._bounds.patience
        try:
            self._instances.run(auntil(lambda: self.said.losses, "context.lost()", patience))
        except AssertionError as error:
            raise NotConforming(
                f"the controller came back empty, and {patience:g} s later context.lost() was not called; without an "
                "inventory nothing else finds that out"
            ) from error

    def writes(self, *methods: str) -> bool:
        """Whether the class has one of these methods of its own."""
        return self._instances.writes(*methods)

    def compare(self) -> None:
        """Compares what the controller holds with what it should hold, after the last call.

        Raises:
            NotConforming: it holds something else, or the backend has said what can't be.
        """
        __tracebackhide__ = True
        problem = self.said.take_wrong()
        if not problem and self._picture is not None:
            problem = self._picture.difference(self.told)
        if not problem and self.writes("inventory"):
            problem = self._inventory_problem()
        if problem:
            raise self._calling.wrong(None, problem)

    def _inventory_problem(self) -> str:
        try:
            found = self._calling.inventory()
        except (CallFailed, TimeoutError) as error:
            return f"inventory() failed: {error}"
        if found is None:
            return ""
        return inventory.difference(self.told, found, self._instances.latest, self._instances.calls)

    # -- calls -----------------------------------------------------------------------------------

    def _call(self, callback: Callback, obj: Object, previous: Object | None = None) -> Binding | None:
        """Makes a call, as often as `repetition` says."""
        __tracebackhide__ = True
        call = _named(callback, obj, previous)
        answer = self._calling.make(call, self.model)
        if self.repetition == AFTER_A_CRASH:
            self._instances.start()
        if self.repetition != ONCE:
            again = self._calling.make(call, self.model)
            if again != answer:
                raise self._calling.wrong(call, f"answered {answer}, and then {again}")
        self.told = self.told.after(call)
        return answer

    def _together(self, calls: Sequence[Call]) -> None:
        self._calling.make_together(calls, self.model)
        for call in calls:
            self.told = self.told.after(call)
        self.compare()

    def _is_told_apart(self, before: Told) -> bool:
        """Whether an audit would see that what is held has changed."""
        backend, calls = self._instances.latest, self._instances.calls
        return inventory.fingerprints(before, backend, calls) != inventory.fingerprints(self.told, backend, calls)

    def _has_work(self, call: Call, told: Told) -> bool:
        calls = self._instances.calls
        if not calls.writes(call.callback):
            return False
        if call.callback in _OF_OBJECTS and not calls.lists(call.object.type):
            return False  # The controller holds it as a part of what names it, which is applied again.
        return self._picture is None or self._picture.is_changed_by(call, told)


def _named(callback: Callback, obj: Object, previous: Object | None = None) -> Call:
    """The call; of a bind and an unbind, with the binding that it is about."""
    if callback in (Callback.BIND_PORT, Callback.UNBIND_PORT):
        return Call(callback, obj, record=binding_key(obj))
    return Call(callback, obj, previous)


@contextmanager
def driving(
    backend: type[Backend], proton: Proton, file: Path, bounds: Bounds, picture: Picture | None = None
) -> Iterator[Driver]:
    """A driver with a started backend, which reads its options from a configuration file."""
    conf = config.read("conformance", OPTIONS, ["--config-file", str(file)])
    for section, options in backend.options.items():
        conf.register_opts(options, group=section)
    driver = Driver(backend, proton, conf, bounds, picture)
    try:
        driver.start()
        yield driver
    finally:
        driver.close()


def _distinct(objects: Iterable[Object]) -> list[Object]:
    """Where a type has few possible keys, samples share objects."""
    return list({obj.id: obj for obj in objects}.values())
