"""Calls a backend as the shim does, without a shim."""

from __future__ import annotations

import asyncio
import copy
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from gluon.process import config
from gluon.schema import Base, Proton, Value
from gluon.shim.backend import Backend, Binding, Context, Held, Model, Object
from gluon.shim.options import OPTIONS
from gluon.shim.plan.steps import DELETE, MODIFY, Call, Callback
from gluon.shim.reconcile.calls import BackendCalls, CallFailed, in_thread
from gluon.testing.conformance import inventory
from gluon.testing.conformance.picture import Picture
from gluon.testing.conformance.said import Said
from gluon.testing.conformance.told import Told, binding_key

ONCE, TWICE, AFTER_A_CRASH = "once", "twice", "again after a crash"
"""How often each call is made, and by which instance."""

_SHOWN_CALLS = 20

log = logging.getLogger(__name__)
T = TypeVar("T")


class NotConforming(AssertionError):
    """The backend breaks its contract; the message says with which call, and what came before."""


class WasRefused(NotConforming):
    """The backend said `Refused`."""


class Bounds(Struct, frozen=True):
    """How long a backend may take."""

    patience: float = 30.0
    """Seconds in which a call must be done, `RetryLater` included."""
    max_block: float = 0.5
    """Seconds for which one step of a coroutine may keep the event loop to itself."""


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
        self._backend = backend
        self._context = Context(controller="conformance", proton=proton, conf=conf, reports=self.said)
        self._bounds, self._picture = bounds, picture
        self._runner = asyncio.Runner()
        self._instances: list[Backend] = []
        self._calls: BackendCalls
        self._fence = 0
        self._blocked: tuple[Call, float] | None = None
        self._history: list[Call] = []
        self.told = Told(proton)
        """What the backend was told."""
        self.model = Model(proton)
        """What is wanted: each callback is given it."""
        self.repetition = ONCE
        self.failed = False
        """A call has failed: what the backend holds is not known any more."""

    # -- instances ---------------------------------------------------------------------------

    def start(self) -> None:
        """Makes an instance and starts it, as a shim at the start of a term.

        Raises:
            NotConforming: the shim would not start.
        """
        name = self._backend.__name__
        instance = self._life(f"{name}()", lambda: self._backend(self._context))
        self._life(f"start() of {name}", lambda: self._runner.run(self._bounded(instance.start)))
        self._instances.append(instance)
        self._calls = BackendCalls(name, instance, self._bounds.patience, self._stepped)
        # From the clock, as the shim's: a controller in a lab remembers the largest of the last run.
        self._fence = max(self._fence + 1, time.time_ns() // 1_000_000)

    def crash(self) -> None:
        """The process dies and another one starts: a new instance, that remembers nothing.

        The old one is stopped only at the end of the test, since a crash stops nothing.
        """
        self.start()
        self.compare()

    def close(self) -> None:
        """Stops every instance.

        Raises:
            NotConforming: one can't be stopped.
        """
        try:
            for instance in reversed(self._instances):
                stop = instance.stop
                self._life(f"stop() of {self._backend.__name__}", lambda: self._runner.run(self._bounded(stop)))  # noqa: B023 - called at once
        finally:
            self._runner.close()

    def _life(self, what: str, step: Callable[[], T]) -> T:
        __tracebackhide__ = True
        try:
            return step()
        except TimeoutError as error:
            said = str(error) or f"was not done within {self._bounds.patience:g} s"
        except (Exception, SystemExit) as error:
            log.warning("%s raised", what, exc_info=True)
            said = f"raised {type(error).__name__}: {error}"
        raise NotConforming(f"{what} {said}")

    async def _bounded(self, method: Callable[[], Any]) -> None:
        """Calls `start` or `stop`, each `async def` or a plain `def`, as the shim does."""
        async with asyncio.timeout(self._bounds.patience):
            result = method() if inspect.iscoroutinefunction(method) else await in_thread(method)
            if inspect.isawaitable(result):
                await result

    # -- what is wanted --------------------------------------------------------------------

    def want(self, obj: Object) -> Object:
        """The object is in the model from now on, as given."""
        self.model = self.model.having(obj)
        return obj

    def forget_all(self) -> None:
        """Nothing is wanted any more."""
        self.model = Model(self._context.proton)

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
        self._call(MODIFY[obj.base], self.want(obj), previous)
        self.follow(obj)

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
            self.failed = False
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
        found = inventory.orphans(self._context.proton, self.inventory() or [])
        for obj in _distinct(found):
            for port in found:
                if port.id == obj.id and port.base is Base.PORT:
                    self._call(Callback.UNBIND_PORT, port)
            self._call(DELETE[obj.base], obj)
        self.told = Told(self._context.proton)
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
        self._history.append(call)
        try:
            self._runner.run(self._promptly(call))
        except CallFailed:
            return False
        self.told = self.told.after(call)
        return True

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
        self._history += due
        failures = self._runner.run(self._fail(due))
        for call, error in zip(due, failures, strict=True):
            if isinstance(error, NotConforming):
                raise error
            if not isinstance(error, CallFailed):
                raise self._wrong(call, "returned while the controller could not be used: the error was lost")
            if error.refused and not call.callback.removes:
                said = f"raised Refused while the controller could not be used: {error.reason}"
                raise self._wrong(call, f"{said}. It would not be made again; raise RetryLater")

    async def _fail(self, calls: Sequence[Call]) -> list[object]:
        return await asyncio.gather(*map(self._promptly, calls), return_exceptions=True)

    def has_work(self, callback: Callback, obj: Object, previous: Object | None = None) -> bool:
        """Whether the call has to change anything at the controller, as far as that is known."""
        return self._has_work(_named(callback, obj, previous), self.told)

    # -- what is asked -----------------------------------------------------------------------

    def inventory(self) -> list[Held] | None:
        """What the backend lists of its controller; None: it can't be asked.

        Raises:
            CallFailed: it can't be asked now.
        """
        return self._runner.run(self._calls.inventory())

    def health(self) -> str | None:
        """Why the backend's controller can't be reached; None: it can."""
        return self._runner.run(self._calls.health())

    def writes(self, *methods: str) -> bool:
        """Whether the class has one of these methods of its own."""
        return any(getattr(self._backend, method) is not getattr(Backend, method) for method in methods)

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
            raise self._wrong(None, problem)

    def _inventory_problem(self) -> str:
        try:
            found = self._runner.run(self._patient_inventory())
        except (CallFailed, TimeoutError) as error:
            return f"inventory() failed: {error}"
        return "" if found is None else inventory.difference(self.told, found, self._instances[-1], self._calls)

    # -- one call ------------------------------------------------------------------------------

    def _call(self, callback: Callback, obj: Object, previous: Object | None = None) -> Binding | None:
        """Makes a call, as often as `repetition` says."""
        __tracebackhide__ = True
        call = _named(callback, obj, previous)
        answer = self._runner.run(self._make(call))
        if self.repetition == AFTER_A_CRASH:
            self.start()
        if self.repetition != ONCE:
            again = self._runner.run(self._make(call))
            if again != answer:
                raise self._wrong(call, f"answered {answer}, and then {again}")
        self.told = self.told.after(call)
        return answer

    def _together(self, calls: Sequence[Call]) -> None:
        async def all_of_them() -> None:
            for result in await asyncio.gather(*map(self._make, calls), return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result

        self._runner.run(all_of_them())
        for call in calls:
            self.told = self.told.after(call)
        self.compare()

    async def _make(self, call: Call) -> Binding | None:
        __tracebackhide__ = True
        self._history.append(call)
        before = self._pictured(call)
        try:
            async with asyncio.timeout(self._bounds.patience):
                answer = await _retried(lambda: self._calls.make(call, self.model, self._fence))
        except TimeoutError as error:
            self._check_blocked()
            raise self._wrong(call, f"was not done within {self._bounds.patience:g} s") from error
        except CallFailed as error:
            kind, wrong = ("was refused", WasRefused) if error.refused else ("failed", NotConforming)
            raise self._wrong(call, f"{kind}: {error.reason}", wrong) from error
        self._check_blocked()
        if self._pictured(call) != before:
            raise self._wrong(call, "changed its arguments, which the shim goes on using; change a copy")
        return answer

    def _check_blocked(self) -> None:
        if self._blocked:
            call, seconds = self._blocked
            raise self._wrong(
                call, f"kept the event loop for {seconds:.1f} s, which all objects share; await, or write a plain def"
            )

    async def _patient_inventory(self) -> list[Held] | None:
        async with asyncio.timeout(self._bounds.patience):
            return await _retried(self._calls.inventory)

    async def _promptly(self, call: Call) -> None:
        try:
            async with asyncio.timeout(self._bounds.patience):
                await self._calls.make(call, self.model, self._fence)
        except TimeoutError as error:
            said = f"had not failed after {self._bounds.patience:g} s in which the controller could not be used"
            raise self._wrong(call, said) from error

    def _stepped(self, call: Call, seconds: float) -> None:
        if seconds > self._bounds.max_block and self._blocked is None:
            self._blocked = call, seconds

    def _has_work(self, call: Call, told: Told) -> bool:
        if not self._calls.writes(call.callback):
            return False
        return self._picture is None or self._picture.is_changed_by(call, told)

    def _pictured(self, call: Call) -> list[dict[str, Value]]:
        """A copy of all that the call can reach."""
        reached = [call.object, call.previous, *map(self.model.find, sorted(self.model))]
        return [copy.deepcopy(dict(obj.attributes)) for obj in reached if obj is not None]

    def _wrong(self, call: Call | None, what: str, kind: type[NotConforming] = NotConforming) -> NotConforming:
        self.failed = True
        made = "\n  ".join(map(str, self._history[-_SHOWN_CALLS:])) or "none"
        return kind(f"{call or 'after the last call'} {what}\nThe calls, the last one last:\n  {made}")


async def _retried(ask: Callable[[], Awaitable[T]]) -> T:
    """Asks again after the pause of a `RetryLater`, for as long as it is said."""
    while True:
        try:
            return await ask()
        except CallFailed as error:
            if error.delay is None:
                raise
            await asyncio.sleep(error.delay)


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
