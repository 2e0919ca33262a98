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
* An interface never changes its port: it is deleted, and made again.
* `model` and all attributes are a picture of the moment; they do not change, and can't be changed.
* No callback begins once this shim's lease on the leadership has run out by its own clock.

What the backend promises:

* Callbacks are idempotent.  Each may come again after a crash, also one that had succeeded.
* A port's binding is named by the port *and* its host.  During a live migration a port has two:
  the second is bound with `port.active` false while the first carries the traffic, is bound again
  with `port.active` true when it takes over, and the first is unbound later, or never.  A backend
  that can't do that refuses what is not active.
* Deleting, or unbinding, what is absent succeeds.
* To say no, raise `RetryLater` or `Refused`.  Any other exception is logged, reported, and the
  callback is tried again with growing pauses.
* Returning means that it is done.  What becomes of it later is said by `context.report`.

Each callback may be `async def`, or a plain `def`, which runs in a thread of its own.  One that
declares a further parameter `call` is given a `CallContext`.
"""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeAlias

from msgspec import Struct

from gluon.schema.types import Proton, Value
from gluon.shim.state import Model, Object

__all__ = [
    "Backend",
    "BackendError",
    "Binding",
    "CallContext",
    "Context",
    "Held",
    "Model",
    "Object",
    "Refused",
    "RetryLater",
    "State",
]


class Binding(Struct, frozen=True):
    """How Nova shall plug the port."""

    vif_type: str
    """A VIF type that Nova plugs: `ovs`, `vhostuser`, `tap`, `hw_veb`, ..."""
    vif_details: dict[str, Value] = {}
    """Details of that type, e.g. `{"port_filter": False, "bridge_name": "br-int"}`."""


class Held(NamedTuple):
    """One object that the SDN controller holds for us, as `Backend.inventory` lists it."""

    type: str
    """The object type's name, e.g. `VpnService`; a bound port is a `Port`."""
    key: str
    fingerprint: str | None = None
    """To compare with `Backend.fingerprint`; None: it can't be told how the object is held."""
    attributes: Mapping[str, Value] = {}
    """What a delete needs to know should nobody want the object, e.g. the `host_id` of a port."""


class CallContext(Struct, frozen=True):
    """What a callback may want to know of its call."""

    fence: int
    """The number of this shim's term as leader.  It only grows from one leader to the next, so a
    controller that keeps the largest it has seen can refuse a call of an old leader."""


State: TypeAlias = Literal["ACTIVE", "DOWN", "ERROR"]


class Reports(Protocol):
    """Takes what a backend says outside of callbacks; the shim gives one to each `Context`."""

    def report(self, object_type: str, key: str, state: State, reason: str) -> None:
        """See `Context.report`; may be called from any thread."""

    def lost(self, reason: str) -> None:
        """See `Context.lost`; may be called from any thread."""


class Context:
    """What a backend is given at start, and how it speaks to the shim outside of callbacks."""

    def __init__(self, *, controller: str, proton: Proton, conf: Any, reports: Reports | None = None) -> None:
        self.controller = controller
        """The name that this shim signs with."""
        self.proton = proton
        """The schema of the objects that will come."""
        self.conf = conf
        """The oslo.config namespace, with the backend's `options` registered."""
        self._reports = reports

    def report(self, obj: Object | tuple[str, str], state: State, reason: str = "") -> None:
        """Says what became of an object after its callback had returned.

        The state reaches the API within a second: `status` of a port, `status_reason` of any
        object.  It holds until the next report; a bind that succeeds makes a port ACTIVE.  May be
        called from any thread, as often as needed.

        Args:
            obj: the object, or its type and key.
            state: ACTIVE: it works; DOWN: it does not carry traffic; ERROR: somebody has to act.
            reason: a sentence for the operator; empty for ACTIVE.
        """
        object_type, key = (obj.type, obj.key) if isinstance(obj, Object) else obj
        if self._reports is not None:
            self._reports.report(object_type, key, state, reason)

    def lost(self, reason: str = "") -> None:
        """Says that the SDN controller came back empty: everything is applied to it again.

        May be called from any thread.
        """
        if self._reports is not None:
            self._reports.lost(reason)


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
    listed_types: ClassVar[frozenset[str] | None] = None
    """Types that `inventory` lists; None, the default: each whose callbacks the backend writes.  For a
    controller that holds an object as a part of another one alone, and can't list it by itself."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def start(self) -> Result:
        """Called once before the first callback; an exception ends the shim with its message."""

    def stop(self) -> Result:
        """Called once after the last callback."""

    # -- callbacks ---------------------------------------------------------------------------

    @abc.abstractmethod
    def bind_port(self, port: Object, model: Model) -> Awaitable[Binding] | Binding:
        """Makes the port ready for the VIF of `port["device_id"]` on `port["host_id"]`.

        The first call for a port may be this one: `modify_port` does not have to come before.
        It comes again, without an unbind before, when `profile` has changed, when somebody asks
        again, and when a binding becomes the active one.

        Raises:
            Refused: this port can't be bound here.
            RetryLater: not yet.
        """

    def unbind_port(self, port: Object, model: Model) -> Result:
        """Takes the port off `port["host_id"]`, and off that host alone.  `port` is as it was bound."""

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
        """The interface shall take part in the service; its port is bound on a host of ours.

        It comes again when the port's traffic has moved to another of our hosts.
        """

    def delete_service_binding(self, binding: Object, model: Model) -> Result:
        """The interface no longer takes part, or its port is about to be unbound."""

    def modify_object(self, obj: Object, previous: Object | None, model: Model) -> Result:
        """An object of none of the four kinds is wanted as given (`obj.type` says which)."""

    def delete_object(self, obj: Object, model: Model) -> Result:
        """An object of none of the four kinds is gone."""

    # -- questions ---------------------------------------------------------------------------

    def inventory(self) -> Awaitable[Iterable[Held] | None] | Iterable[Held] | None:
        """Lists what the SDN controller holds of ours; None, the default: it can't be asked.

        The shim compares it with its records when it begins to lead, every `audit_interval`,
        and when an operator asks (`gluon-manage audit`): what is missing or differs is applied
        again, what nobody wants is deleted.  Only what is surely ours may be listed.  A type whose
        callbacks the backend does not write, or that is not among `listed_types`, is not expected in it.

        A delete of what nobody wants is given an object with its key, the `Held.attributes`, and
        None for all else.

        Raises:
            RetryLater, or anything else: it can't be asked now; nothing is compared.
        """
        return None

    def fingerprint(self, obj: Object, model: Model) -> str | None:
        """What `inventory` gives for the object where the controller has it as it is wanted.

        The default is `model.fingerprint(obj)`, a digest of all that the object means, for a
        backend that keeps it with the object.  One that can't keep it compares what it finds with
        what it would write.  None: only whether the object is there is compared.
        """
        return model.fingerprint(obj)

    def health(self) -> Awaitable[str | None] | str | None:
        """Why the SDN controller can't be reached, in a sentence; None: it can.

        Asked every `health_interval`, and shown in `/readyz`, `/status` and the metrics.  An
        exception counts as a reason.
        """
        return None
