"""Backends that can't work are refused at start, with a sentence that says what is wrong."""

# ruff: noqa: ARG001 - what these functions take is what is tested

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gluon.process.run import StartFailed
from gluon.shim import plugins
from gluon.shim.backend import Backend, Binding, CallContext
from gluon.shim.backends.dummy import DummyBackend
from gluon.shim.plan import Callback

EXPECTED = {
    "bind_port": "bind_port(port, model)",
    "unbind_port": "unbind_port(port, model)",
    "modify_port": "modify_port(port, previous, model)",
    "delete_port": "delete_port(port, model)",
    "modify_interface": "modify_interface(interface, previous, model)",
    "delete_interface": "delete_interface(interface, model)",
    "modify_service": "modify_service(service, previous, model)",
    "delete_service": "delete_service(service, model)",
    "modify_service_binding": "modify_service_binding(binding, previous, model)",
    "delete_service_binding": "delete_service_binding(binding, model)",
    "modify_object": "modify_object(obj, previous, model)",
    "delete_object": "delete_object(obj, model)",
}


def backend(**members: Any) -> type[Backend]:
    def bind_port(self: Backend, port: object, model: object) -> Binding:
        return Binding("ovs")

    return type("Vendor", (Backend,), {"bind_port": bind_port, "__module__": "vendor", **members})


def test_the_dummy_is_found_by_its_entry_point() -> None:
    assert plugins.load("dummy") is DummyBackend


def test_an_unknown_backend_is_told_the_installed_ones() -> None:
    with pytest.raises(StartFailed, match=r"no backend is named 'dumy'; installed: .*dummy"):
        plugins.load("dumy")


@pytest.mark.parametrize("callback", Callback)
def test_a_wrong_signature_is_named_with_the_call_that_is_made(callback: Callback) -> None:
    def wrong(self: Backend, port: object) -> None: ...

    sentence = plugins.wrong("acme", backend(**{callback: wrong}))
    assert sentence.startswith(f"backend 'acme' (vendor.Vendor): {callback}(self: 'Backend', port")
    assert EXPECTED[callback] in sentence
    assert "can't be called as" in sentence


def test_delete_port_is_called_once_with_what_the_port_promises() -> None:
    """`TypeError: delete_port() takes exactly 3 arguments (4 given)`, each time a port went, once upon a time."""

    def delete_port(self: Backend, uuid: str, model: object, changes: object) -> None: ...

    sentence = plugins.wrong("acme", backend(delete_port=delete_port))
    assert "acme" in sentence
    assert "delete_port(self: 'Backend', uuid: 'str', model" in sentence
    assert "can't be called as delete_port(port, model): missing a required argument: 'changes'" in sentence


def too_many(self: Backend, port: object, previous: object, model: object, extra: object) -> None: ...


def keyword_only(self: Backend, port: object, *, model: object) -> None: ...


def any_arguments(self: Backend, *arguments: object) -> None: ...


def renamed(self: Backend, p: object, m: object, more: object = None) -> None: ...


def with_call(self: Backend, port: object, model: object, call: CallContext) -> None: ...


def with_optional_call(self: Backend, port: object, model: object, *, call: CallContext | None = None) -> None: ...


def generator(self: Backend, port: object, model: object) -> Any:
    yield


async def async_generator(self: Backend, port: object, model: object) -> Any:
    yield


@pytest.mark.parametrize(
    ("callback", "written", "problem"),
    [
        ("modify_port", too_many, "missing a required argument: 'extra'"),
        ("delete_port", keyword_only, "too many positional arguments"),
        ("delete_port", any_arguments, ""),
        ("delete_port", renamed, ""),
        ("delete_port", with_call, ""),
        ("delete_port", with_optional_call, ""),
        ("modify_port", with_call, "can't be called as modify_port(port, previous, model)"),
        (
            "delete_port",
            staticmethod(renamed),
            "delete_port is no plain method; it is called as delete_port(port, model)",
        ),
        ("delete_port", classmethod(renamed), "delete_port is no plain method"),
        ("delete_port", "a string", "delete_port is no plain method"),
        ("delete_port", property(lambda _: 1), "delete_port is no plain method"),
        ("delete_port", generator, "delete_port has a yield and so would never run"),
        ("bind_port", async_generator, "bind_port has a yield and so would never run"),
    ],
)
def test_whatever_is_in_the_place_of_a_callback_is_checked(callback: str, written: object, problem: str) -> None:
    sentence = plugins.wrong("acme", backend(**{callback: written}))
    assert problem in sentence
    assert bool(sentence) == bool(problem)


@pytest.mark.parametrize("misspelled", ["modify_ports", "delete_vpn", "bind_prot", "unbind_ports"])
def test_a_misspelled_callback_is_named_with_the_right_ones(misspelled: str) -> None:
    def written(self: Backend, port: object, model: object) -> None: ...

    def inherited(base: type[Backend]) -> type[Backend]:
        return type("Heir", (base,), {})

    variants: list[Callable[[type[Backend]], type[Backend]]] = [lambda base: base, inherited]
    for variant in variants:
        sentence = plugins.wrong("acme", variant(backend(**{misspelled: written})))
        assert f"defines {misspelled}, which is no callback; the callbacks are bind_port, unbind_port" in sentence


def test_private_methods_and_the_right_names_are_left_alone() -> None:
    def written(self: Backend, port: object, model: object) -> None: ...

    assert plugins.wrong("acme", backend(delete_port=written, _delete_flows=written, connect=written)) == ""


def test_a_backend_has_to_bind() -> None:
    assert plugins.wrong("acme", type("Lazy", (Backend,), {})).endswith("does not define bind_port")


@pytest.mark.parametrize("thing", [object(), dict, "text", None, DummyBackend.bind_port])
def test_what_is_no_backend_is_refused(thing: object) -> None:
    assert "expected a subclass of gluon.shim.backend.Backend" in plugins.wrong("acme", thing)
