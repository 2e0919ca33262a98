"""The one place where a binding of a port ends; a controller may have it for some time still.

Etcd is not where that is remembered: it may be lost before the controller has let the port go, and
with it all that tells of the binding.  So the database keeps it until it is known to be undone.
"""

from __future__ import annotations

from collections.abc import Iterable

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import Attempt
from gluon.proton.service import default_interface
from gluon.proton.storage import Stored, StoredBinding, StoredRelease, Transaction
from gluon.schema import Proton, Value


def release(tx: Transaction, proton: Proton, port: str, hosts: Iterable[str] | None = None) -> None:
    """Removes bindings of a port, and keeps in mind that a controller may have them.

    A bind that nobody has answered is kept as well: it may be under way.

    Args:
        tx: the transaction; the port is as it was until now.
        proton: the port's.
        port: its key.
        hosts: whose bindings; None: all.
    """
    bindings = tx.bindings(proton.name)
    gone = [each for each in bindings.of(port) if hosts is None or each.host in hosts]
    stored = tx.objects(proton.name, proton.port.name).get(port) if gone else None
    for each in gone:
        bindings.delete(port, each.host)
        if stored is not None:
            tx.releases.add(
                StoredRelease(
                    proton=proton.name,
                    port=port,
                    host=each.host,
                    controller=each.controller,
                    released_at=tx.moment(each.updated_at),
                ),
                _as_bound(proton, stored, each),
            )


def possible_calls(tx: Transaction, proton: Proton, released: StoredRelease) -> dict[ObjectKey, Attempt]:
    """The calls that a controller may have had, and has to be asked to undo; by object.

    Of a port that is gone its default interface is gone with it, and has to go first.

    Args:
        tx: the transaction.
        proton: the port's.
        released: the binding; there are none once it is forgotten.
    """
    attributes = tx.releases.attributes(released)
    if attributes is None:
        return {}
    port = ObjectKey(proton.name, proton.port.name, released.port)
    calls = {keys.binding(port, released.host): Attempt(callback="bind_port", attributes=attributes)}
    if not tx.objects(proton.name, proton.port.name).exists(released.port):
        interface = default_interface.attributes(proton, attributes)
        key = ObjectKey(proton.name, proton.interface.name, str(interface[proton.interface.primary_key.name]))
        calls[key] = Attempt(callback="modify_interface", attributes=interface)
    return calls


def _as_bound(proton: Proton, stored: Stored, binding: StoredBinding) -> dict[str, Value]:
    """The port as its controller was told of it."""
    return {
        **{attribute.name: stored.attributes[attribute.name] for attribute in proton.port.writable},
        "host_id": binding.host,
        "device_id": binding.device_id,
        "vnic_type": binding.vnic_type,
        "profile": binding.profile,
    }
