"""The backend port: the one class that a vendor writes to drive an SDN controller.

Write a subclass of `Backend`, register it under the entry-point group `gluon.shim.backends`, and
name it in the shim's configuration: `handlers = net-l3vpn:<name>`.  Import from here, from
`gluon.contract` and from `gluon.schema`, nothing else of Gluon.  `gluon.shim.backends.dummy` is
the example to copy; `gluon.testing.conformance` is the test to pass.

What the shim promises:

* One call at a time for one object; calls for different objects run at the same time.
* A callback is made because the backend does not have what is wanted, never because an event
  arrived: ten quick changes may be one call, with the last state.
* A service is there before its service bindings, a port before its interfaces; a service binding
  is applied while its port is bound on a host of ours, and deleted before that ends.
* An interface never changes its port: it is deleted, and made anew.
* `model` and all attributes are a picture of the moment; they do not change, and can't be changed.

What the backend promises:

* Callbacks are idempotent.  Each may come again after a crash, also one that had succeeded.
* Deleting, or unbinding, what is absent succeeds.
* To say no, raise `RetryLater` or `Refused`.  Any other exception is logged, reported, and the
  callback is tried again with growing pauses.
* Returning means that it is done.

Each callback may be `async def`, or a plain `def`, which runs in a thread of its own.
"""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

from msgspec import Struct

from gluon.schema.types import Proton, Value
from gluon.shim.state import Model, Object

__all__ = ["Backend", "BackendError", "Binding", "Context", "Model", "Object", "Refused", "RetryLater"]


class Binding(Struct, frozen=True):
    """How Nova shall plug the port."""

    vif_type: str
    """A VIF type that Nova plugs: `ovs`, `vhostuser`, `tap`, `hw_veb`, ..."""
    vif_details: dict[str, Value] = {}
    """Details of that type, e.g. `{"port_filter": False, "bridge_name": "br-int"}`."""


class Context(Struct, frozen=True):
    """What a backend is given at start."""

    controller: str
    """The name that this shim signs with."""
    proton: Proton
    """The schema of the objects that will come."""
    conf: Any
    """The oslo.config namespace, with the backend's `options` registered."""


class BackendError(Exception):
    """Base of the two ways to say no.

    BackendError
    ├── RetryLater   not now
    └── Refused      not as it is
    """


class RetryLater(BackendError):
    """Not now: call again, no sooner than `delay` seconds from now."""

    def __init__(self, reason: str, delay: float = 1.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.delay = delay


class Refused(BackendError):
    """Not as it is: call again only when the object has changed.

    From `bind_port` it becomes `binding_failed` at once, and Nova tries another host.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


Result: TypeAlias = "Awaitable[None] | None"


class Backend(abc.ABC):
    """Drives one SDN controller for one proton.  Only `bind_port` has to be written."""

    options: ClassVar[Mapping[str, Sequence[Any]]] = {}
    """Options (oslo.config) of the backend's own, by section of the shim's configuration file."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def start(self) -> Result:
        """Called once before the first callback; an exception ends the shim with its message."""

    def stop(self) -> Result:
        """Called once after the last callback."""

    @abc.abstractmethod
    def bind_port(self, port: Object, model: Model) -> Awaitable[Binding] | Binding:
        """Makes the port ready for the VIF of `port["device_id"]` on `port["host_id"]`.

        The first call for a port may be this one: `modify_port` does not have to come before.

        Raises:
            Refused: this port can't be bound here.
            RetryLater: not yet.
        """

    def unbind_port(self, port: Object, model: Model) -> Result:
        """Takes the port off its host.  `port` is as it was bound."""

    def modify_port(self, port: Object, previous: Object | None, model: Model) -> Result:
        """The port, bound or not, is wanted as given.

        `previous` is the port as last applied; None if it never was, or if a delete may have been made.
        """

    def delete_port(self, port: Object, model: Model) -> Result:
        """The port is gone, or has moved to a host that is not ours.  `port` is as last applied."""

    def modify_interface(self, interface: Object, previous: Object | None, model: Model) -> Result:
        """The interface is wanted as given; its port is there."""

    def delete_interface(self, interface: Object, model: Model) -> Result:
        """The interface is gone; no service binding is left on it."""

    def modify_service(self, service: Object, previous: Object | None, model: Model) -> Result:
        """The service is wanted as given, or an object that one of its lists names has changed."""

    def delete_service(self, service: Object, model: Model) -> Result:
        """The service is gone; none of its service bindings is left."""

    def modify_service_binding(self, binding: Object, previous: Object | None, model: Model) -> Result:
        """The interface shall take part in the service; its port is bound on a host of ours."""

    def delete_service_binding(self, binding: Object, model: Model) -> Result:
        """The interface no longer takes part, or its port is about to be unbound."""

    def modify_object(self, obj: Object, previous: Object | None, model: Model) -> Result:
        """An object of none of the four kinds is wanted as given (`obj.type` says which)."""

    def delete_object(self, obj: Object, model: Model) -> Result:
        """An object of none of the four kinds is gone."""
