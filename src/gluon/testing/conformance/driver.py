"""Calls a backend as the shim does, without a shim."""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gluon.contract.keys import ObjectKey
from gluon.process import config
from gluon.schema import Base, Proton, Value
from gluon.shim.backend import Backend, Binding, Context, Model, Object
from gluon.shim.options import OPTIONS
from gluon.shim.plan import Call, Callback
from gluon.shim.plan.steps import DELETE, MODIFY
from gluon.shim.reconcile.calls import BackendCalls, CallFailed, in_thread

ONCE, TWICE, AFTER_A_CRASH = "once", "twice", "again after a crash"
"""How often each call is made, and by which instance."""


class NotConforming(AssertionError):
    """The backend breaks its contract; the message says with which call, and what came before."""


class Driver:
    """Calls a backend as the shim does, and knows what it has been told.

    Args:
        backend: the class.
        context: what each instance is given.
        patience: seconds in which a call must be done.
    """

    def __init__(self, backend: type[Backend], context: Context, patience: float) -> None:
        self._backend, self._context = backend, context
        self._patience = patience
        self._runner = asyncio.Runner()
        self._instances: list[Backend] = []
        self._calls: BackendCalls
        self._applied: dict[ObjectKey, Object] = {}
        self._bound: dict[ObjectKey, Object] = {}
        self._history: list[Call] = []
        self.model = Model(context.proton)
        self.repetition = ONCE
        self.failed = False
        """A call has failed: what the backend holds is not known any more."""

    def start(self) -> None:
        """Makes an instance and starts it."""
        instance = self._backend(self._context)
        self._runner.run(_called(instance.start, self._patience))
        self._instances.append(instance)
        self._calls = BackendCalls(self._backend.__name__, instance, self._patience)

    def crash(self) -> None:
        """The process dies and another one starts: a new instance, that remembers nothing.

        The old one is stopped only at the end of the test, since a crash stops nothing.
        """
        self.start()

    def close(self) -> None:
        """Stops every instance."""
        try:
            for instance in reversed(self._instances):
                self._runner.run(_called(instance.stop, self._patience))
        finally:
            self._runner.close()

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

    def modify(self, obj: Object, *, know: bool = True) -> None:
        """The object is wanted as given.  `know` False: nobody knows what it was before."""
        previous = self._applied.get(obj.id) if know else None
        self.call(MODIFY[obj.base], self.want(obj), previous)

    def bind(self, port: Object) -> Binding | None:
        """Binds the port, and checks the answer."""
        return self.call(Callback.BIND_PORT, self.want(port))

    def unbind(self, key: ObjectKey) -> None:
        """Takes the port off the host that it was bound on."""
        self.call(Callback.UNBIND_PORT, self._bound[key])

    def delete(self, obj: Object, *, keep: bool = False) -> None:
        """Deletes what is applied; `keep` leaves it in the model, as when a port is to be unbound."""
        if not keep:
            self.model = self.model.lacking(obj.id)
        if obj.id in self._bound:
            self.unbind(obj.id)
        self.call(DELETE[obj.base], self._applied[obj.id])

    def delete_all(self) -> None:
        """Deletes what is left, whatever depends on others first."""
        for obj in reversed(list(self._applied.values())):
            self.delete(obj)

    def modify_together(self, objects: Sequence[Object]) -> None:
        """Modifies all of them at once."""
        self._together(
            [Call(MODIFY[obj.base], self.want(obj), self._applied.get(obj.id)) for obj in _distinct(objects)]
        )

    def bind_together(self, ports: Sequence[Object]) -> None:
        """Binds all of them at once."""
        self._together([Call(Callback.BIND_PORT, port) for port in ports])

    def delete_together(self, objects: Sequence[Object]) -> None:
        """Unbinds the ports among them at once, then deletes all of them at once."""
        found = _distinct(objects)
        self._together([Call(Callback.UNBIND_PORT, self._bound[obj.id]) for obj in found if obj.id in self._bound])
        self._together([Call(DELETE[obj.base], self._applied[obj.id]) for obj in found])

    def call(self, callback: Callback, obj: Object, previous: Object | None = None) -> Binding | None:
        """Makes a call, as often as `repetition` says."""
        call = Call(callback, obj, previous)
        answer = self._runner.run(self._make(call))
        if self.repetition == AFTER_A_CRASH:
            self.crash()
        if self.repetition != ONCE:
            answer = self._runner.run(self._make(call))
        self._note(call)
        return answer

    def _together(self, calls: Sequence[Call]) -> None:
        async def all_of_them() -> None:
            for result in await asyncio.gather(*map(self._make, calls), return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result

        self._runner.run(all_of_them())
        for call in calls:
            self._note(call)

    async def _make(self, call: Call) -> Binding | None:
        self._history.append(call)
        before = self._pictured(call)
        try:
            async with asyncio.timeout(self._patience):
                answer = await self._patiently(call)
        except TimeoutError as error:
            raise self._wrong(call, f"was not done within {self._patience:g} s") from error
        except CallFailed as error:
            kind = "was refused" if error.refused else "failed"
            raise self._wrong(call, f"{kind}: {error.reason}") from error
        if self._pictured(call) != before:
            raise self._wrong(call, "changed its arguments, which the shim goes on using; change a copy")
        return answer

    async def _patiently(self, call: Call) -> Binding | None:
        while True:
            try:
                return await self._calls.make(call, self.model)
            except CallFailed as error:
                if error.delay is None:
                    raise
                await asyncio.sleep(error.delay)

    def _pictured(self, call: Call) -> list[dict[str, Value]]:
        """A copy of all that the call can reach."""
        reached = [call.object, call.previous, *map(self.model.find, sorted(self.model))]
        return [copy.deepcopy(dict(obj.attributes)) for obj in reached if obj is not None]

    def _note(self, call: Call) -> None:
        obj = call.object
        if call.callback is Callback.UNBIND_PORT:
            self._bound.pop(obj.id, None)
        elif call.callback.startswith("delete_"):
            self._applied.pop(obj.id, None)
        else:
            self._applied[obj.id] = obj
        if call.callback is Callback.BIND_PORT:
            self._bound[obj.id] = obj

    def _wrong(self, call: Call, what: str) -> NotConforming:
        self.failed = True
        made = "\n  ".join(map(str, self._history[-20:]))
        return NotConforming(f"{call} {what}\nThe calls, this one last:\n  {made}")


@contextmanager
def driving(backend: type[Backend], proton: Proton, file: Path, patience: float) -> Iterator[Driver]:
    """A driver with a started backend, which reads its options from a configuration file."""
    conf = config.read("conformance", OPTIONS, ["--config-file", str(file)])
    for section, options in backend.options.items():
        conf.register_opts(options, group=section)
    driver = Driver(backend, Context(controller="conformance", proton=proton, conf=conf), patience)
    try:
        driver.start()
        yield driver
    finally:
        driver.close()


async def _called(method: Any, patience: float) -> None:
    """Calls `start` or `stop`, each `async def` or a plain `def`, as the shim does."""
    async with asyncio.timeout(patience):
        result = method() if inspect.iscoroutinefunction(method) else await in_thread(method)
        if inspect.isawaitable(result):
            await result


def _distinct(objects: Iterable[Object]) -> list[Object]:
    """Where a type has few possible keys, samples share objects."""
    return list({obj.id: obj for obj in objects}.values())
