"""The use cases of a port's bindings, as Neutron's extension for live migration has them.

The target's binding is created beside the active one, which stays, and activated once the VM has moved:

    create(target)    an inactive binding, bound by its controller; the port stays where it is
    activate(target)  it becomes the active one, the source's becomes inactive and stays bound
    delete(source)    the source's controller unbinds it
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from gluon.contract.records import BINDING_FAILED, UNBOUND
from gluon.proton.service import binding_changes
from gluon.proton.service.binding import Asked
from gluon.proton.service.binds import Binds
from gluon.proton.service.changes import Target
from gluon.proton.service.doubt import doubtful
from gluon.proton.storage import BindingState, Database, StoredBinding, Transaction
from gluon.schema import Value


class PortBinding(Struct, frozen=True, kw_only=True):
    """A port's binding to a host, as clients see it; the members are Neutron's, and `reason`."""

    host: str
    vnic_type: str
    profile: Value
    """A JSON object; empty for none."""
    vif_type: str
    """`unbound` while no controller has answered, `binding_failed` after a refusal."""
    vif_details: dict[str, Value]
    status: str
    """ACTIVE or INACTIVE."""
    reason: str | None = None
    """Why it failed or was lost; None: nothing is wrong."""


class PortBindings:
    """Lists, shows, creates, activates and deletes the bindings of one port at a time.

    `target` is the port's type, and `port` its key, canonical, in every call.
    """

    def __init__(self, database: Database, binds: Binds) -> None:
        self._database = database
        self._binds = binds

    async def list(self, target: Target, port: str) -> list[PortBinding]:
        """All bindings of a port, the active one first.

        Raises:
            NotFound: the port.
            DatabaseUnavailable.
        """
        found = await self._database.read(lambda tx: binding_changes.find(tx, target, port))
        return [_shown(each, self._database.refusal) for each in found]

    async def show(self, target: Target, port: str, host: str) -> PortBinding:
        """One binding.

        Raises:
            NotFound: the port, or its binding to this host.
            DatabaseUnavailable.
        """
        found = await self._database.read(lambda tx: binding_changes.show(tx, target, port, host))
        return _shown(found, self._database.refusal)

    async def create(self, target: Target, port: str, values: Mapping[str, Value]) -> PortBinding:
        """Adds an inactive binding, and waits for its controller as any bind does.

        A bind that fails leaves the binding there, with vif_type `binding_failed`.

        Args:
            target: the port's type.
            port: the port's key.
            values: `host`, and as far as given `vnic_type` (else the port's) and `profile`.

        Raises:
            InvalidAttributes: with all problems, and for members that are not known.
            NotFound: the port.
            Conflict: the port is not bound to a host, or has a binding to this host already.
            DatabaseUnavailable, ChangesRefused.
        """
        given = binding_changes.validated(target, values)

        def work(tx: Transaction) -> tuple[StoredBinding, Asked | None]:
            return binding_changes.create(tx, target, port, given)

        return await self._bound(target, port, given.host, work)

    async def activate(self, target: Target, port: str, host: str) -> PortBinding:
        """Makes an inactive binding the active one, and waits for its controller as any bind does.

        The port's host_id, vnic_type and profile follow; the former active binding becomes inactive.

        Raises:
            NotFound: the port, or its binding to this host.
            Conflict: it is the active one already, or it isn't bound.
            DatabaseUnavailable, ChangesRefused.
        """

        def work(tx: Transaction) -> tuple[StoredBinding, Asked | None]:
            return binding_changes.activate(tx, target, port, host)

        return await self._bound(target, port, host, work)

    async def delete(self, target: Target, port: str, host: str) -> None:
        """Removes a binding; its controller unbinds the port from that host.

        Without its active binding the port has no host_id, and its inactive bindings stay: each can be
        activated.

        Raises:
            NotFound: the port, or its binding to this host.
            DatabaseUnavailable, ChangesRefused.
        """
        await self._database.change(lambda tx: binding_changes.delete(tx, target, port, host))

    async def _bound(self, target: Target, port: str, host: str, work: binding_changes.Work) -> PortBinding:
        await self._binds.ask(target.key(port), work)
        return await self.show(target, port, host)


def _shown(binding: StoredBinding, refusal: str) -> PortBinding:
    unplugged = BINDING_FAILED if binding.state is BindingState.FAILED else UNBOUND
    return PortBinding(
        host=binding.host,
        vnic_type=binding.vnic_type or "normal",
        profile=binding.profile if binding.profile is not None else {},
        vif_type=binding.vif_type or unplugged,
        vif_details=binding.vif_details,
        status="ACTIVE" if binding.active else "INACTIVE",
        reason=doubtful(binding.reason, refusal),
    )
