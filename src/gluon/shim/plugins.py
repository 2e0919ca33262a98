"""Loads backends from their entry points, and refuses those that can't work."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint
from typing import Any

from stevedore import ExtensionManager

from gluon.process.run import StartFailed
from gluon.shim.backend import Backend
from gluon.shim.calls.calling import CALL
from gluon.shim.options import ENTRY_POINT_GROUP
from gluon.shim.plan import Callback


def load(name: str) -> type[Backend]:
    """The backend class registered as `name`.

    Raises:
        StartFailed: there is none, it can't be imported, it is no Backend, or a callback does
            not take what it will be called with.
    """
    failures: dict[str, BaseException] = {}

    def failed(_: object, entry: EntryPoint, error: BaseException) -> None:
        failures[entry.name] = error

    found: ExtensionManager[Any] = ExtensionManager(ENTRY_POINT_GROUP, on_load_failure_callback=failed)
    if name in failures:
        raise StartFailed(f"backend {name!r} can't be loaded: {_told(failures[name])}")
    if name not in found:
        known = ", ".join(sorted(found.names())) or "none"
        raise StartFailed(
            f"no backend is named {name!r}; installed: {known}. A backend is registered under the entry-point "
            f"group {ENTRY_POINT_GROUP}"
        )
    backend = found[name].plugin
    problem = wrong(name, backend)
    if problem:
        raise StartFailed(problem)
    checked: type[Backend] = backend
    return checked


def installed_options() -> dict[str, Sequence[Any]]:
    """The options of all installed backends, by section; one that can't be imported has none."""
    found: dict[str, Sequence[Any]] = {}
    for extension in ExtensionManager[Any](ENTRY_POINT_GROUP, on_load_failure_callback=lambda *_: None):
        found.update(getattr(extension.plugin, "options", {}))
    return found


def wrong(name: str, backend: object) -> str:
    """What keeps a class from being a backend, as a sentence; empty when nothing does."""
    if not (isinstance(backend, type) and issubclass(backend, Backend)):
        return f"backend {name!r} is {backend!r}, expected a subclass of gluon.shim.backend.Backend"
    where = f"backend {name!r} ({backend.__module__}.{backend.__qualname__})"
    if inspect.isabstract(backend):
        return f"{where} does not define {', '.join(sorted(backend.__abstractmethods__))}"
    unknown = sorted(_looks_like_callback(backend) - set(Callback))
    if unknown:
        return f"{where} defines {unknown[0]}, which is no callback; the callbacks are {', '.join(Callback)}"
    for callback in Callback:
        problem = _wrong_signature(inspect.getattr_static(backend, callback), getattr(Backend, callback))
        if problem:
            return f"{where}: {problem}"
    return ""


def _looks_like_callback(backend: type[Backend]) -> set[str]:
    """Public methods that are spelled like callbacks: probably misspelled ones."""
    verbs = {callback.split("_")[0] for callback in Callback}
    written = {name: value for base in backend.__mro__ if base is not object for name, value in vars(base).items()}
    return {name for name, value in written.items() if callable(value) and name.split("_")[0] in verbs and "_" in name}


def _wrong_signature(written: Any, promised: Callable[..., Any]) -> str:
    expected = list(inspect.signature(promised).parameters)
    call = f"{promised.__name__}({', '.join(expected[1:])})"
    if not inspect.isfunction(written):
        return f"{promised.__name__} is no plain method; it is called as {call}"
    if inspect.isgeneratorfunction(written) or inspect.isasyncgenfunction(written):
        return f"{promised.__name__} has a yield and so would never run; it is called as {call}"
    parameters = inspect.signature(written).parameters
    named = {CALL: None} if CALL in parameters else {}
    try:
        inspect.signature(written).bind(*expected, **named)
    except TypeError as error:
        return f"{promised.__name__}{inspect.signature(written)} can't be called as {call}: {error}"
    return ""


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
