"""What the rules ask of the state: one question a function, each without side effects."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import BINDING_FAILED, AppliedRecord
from gluon.schema.types import Base
from gluon.shim.state import Object, State, Wish
from gluon.shim.state.model import references

ALL_HOSTS = "*"


class Identity(Struct, frozen=True):
    """Who this shim is, and whose ports are its own."""

    controller: str
    hosts: Collection[str]
    """Names of hosts; `*` stands for all."""

    def owns(self, host: str) -> bool:
        """Whether the ports on `host` are ours to bind."""
        return ALL_HOSTS in self.hosts or host in self.hosts


SOLE = Identity(controller="", hosts=(ALL_HOSTS,))
"""Of a backend that is alone with its SDN controller, and without a shim."""


# -- one record ----------------------------------------------------------------------------------


def is_certain(record: AppliedRecord) -> bool:
    """Whether the backend has the object just as recorded."""
    return not record.claimed and record.attempt is None


def is_going(record: AppliedRecord) -> bool:
    """Whether a delete or an unbind may have been made."""
    return record.attempt is not None and record.attempt.removes


def has_failed(record: AppliedRecord) -> bool:
    """Whether the backend has refused to bind the port."""
    return record.bound is not None and record.bound.vif_type == BINDING_FAILED


def is_bound(record: AppliedRecord) -> bool:
    """Whether the backend has bound the port on this host.

    Also while it is being bound again: the running VM keeps its network meanwhile.
    """
    return record.bound is not None and not (record.claimed or has_failed(record) or is_going(record))


# -- ports and their bindings ----------------------------------------------------------------------


def own_wishes(port: ObjectKey, state: State, identity: Identity) -> dict[str, Wish]:
    """The bindings that this controller is to have of a port, the active one first."""
    own = {host: wish for host, wish in state.wishes(port).items() if identity.owns(host)}
    return dict(sorted(own.items(), key=lambda item: not item[1].port.active))


def port_is_ours(port: Object, state: State, identity: Identity) -> bool:
    """A port without a host concerns every controller, a port with one that of its hosts."""
    host = port["host_id"]
    return not host or identity.owns(str(host)) or bool(own_wishes(port.id, state, identity))


def port_as_ours(port: Object, state: State, identity: Identity) -> Object:
    """The port as this controller shall have it.

    That is the port itself, but on the host that is prepared here while another controller has
    the active binding.
    """
    host = port["host_id"]
    if not host or identity.owns(str(host)):
        return port
    for wish in own_wishes(port.id, state, identity).values():
        return wish.port
    return port


def is_lost(port: ObjectKey, host: str, state: State, identity: Identity) -> bool:
    """Whether another controller has taken over what we have, or had, bound.

    Somebody else's claim on the same host is plain.  On another host it takes the port from us
    unless that host is wanted as well, as in a live migration.
    """
    answer = state.answer(port).answer
    entry = answer.bindings.get(host)
    if entry is not None:
        return entry.controller != identity.controller
    active = answer.active
    return active is not None and active.controller != identity.controller and active.host_id not in state.wishes(port)


def stays(port: ObjectKey, host: str, state: State, identity: Identity) -> bool:
    """Whether a port that we have on a host, or may have, is to stay there."""
    wish = state.wishes(port).get(host)
    if wish is None or not identity.owns(host) or is_lost(port, host, state, identity):
        return False
    return not _is_for_another(state.as_bound(port, host), wish.port)


def _is_for_another(bound: Object, wanted: Object) -> bool:
    """Whether it is bound for another VM or as another kind of card: that takes an unbind."""
    return any(bound.attributes.get(name) != wanted[name] for name in ("device_id", "vnic_type"))


def has_bound_host(port: ObjectKey, state: State, identity: Identity) -> bool:
    """Whether we have the port bound on a host where it is to stay."""
    return any(
        is_bound(state.records[keys.binding(port, host)]) and stays(port, host, state, identity)
        for host in state.hosts(port)
    )


def is_bound_here(port: ObjectKey, state: State, identity: Identity) -> bool:
    """Whether the port is bound where it is to carry traffic, as far as that is on a host of ours."""
    for host, wish in own_wishes(port, state, identity).items():
        if wish.port.active:
            record = state.records.get(keys.binding(port, host))
            return record is not None and is_bound(record) and stays(port, host, state, identity)
    return has_bound_host(port, state, identity)


# -- any object ------------------------------------------------------------------------------------


def is_wanted(obj: Object, state: State, identity: Identity) -> bool:
    """Whether the object should be at the backend now, or as soon as what it needs is.

    Only single references count: an item of a list that is missing leaves the object as it is,
    since dropping a whole service for one late route target would cut traffic.
    """
    if obj.base is Base.PORT:
        return port_is_ours(obj, state, identity)
    for names in single_references(obj, state):
        for name in names:
            target = state.desired.find(name)
            if target is None or not is_wanted(target, state, identity):
                return False
    if obj.base is Base.INTERFACE and _has_moved(obj, state):
        return False
    return obj.base is not Base.SERVICE_BINDING or _may_join(obj, state, identity)


def single_references(obj: Object, state: State) -> list[tuple[ObjectKey, ...]]:
    """What the object's attributes name, those that are lists left out."""
    types = state.proton.objects[obj.id.object].attributes
    found = references(state.proton, obj.id, obj.attributes)
    return [names for attribute, names in found.items() if not types[attribute].is_list]


def _has_moved(interface: Object, state: State) -> bool:
    """Whether the backend has the interface on another port: there it goes before it comes here."""
    applied = state.applied.find(interface.id)
    if applied is None:
        return False
    names = references(state.proton, interface.id, interface.attributes)
    before = references(state.proton, interface.id, applied.attributes)
    port = state.proton.port.name
    return any(names[a] != before.get(a) for a in names if names[a][0].object == port)


def _may_join(binding: Object, state: State, identity: Identity) -> bool:
    """Whether the port of a service binding is bound by us, or being bound, and is to stay so.

    While the port is to leave another host of ours, only a bind that is done counts: one that is
    yet to be made waits for the unbind, and the unbind for this service binding.
    """
    port = state.desired.port_of(binding)
    if port is None:
        return False
    staying = {host: stays(port.id, host, state, identity) for host in state.hosts(port.id)}
    records = {host: state.records[keys.binding(port.id, host)] for host, does in staying.items() if does}
    leaves = len(records) < len(staying)
    return any(not has_failed(record) and (is_bound(record) or not leaves) for record in records.values())


def is_record_wanted(key: ObjectKey, state: State, identity: Identity) -> bool:
    """Whether what a record stands for is to be at the backend."""
    if keys.is_binding(key):
        port, host = keys.port_and_host(key)
        return stays(port, host, state, identity)
    obj = state.desired.find(key)
    return obj is not None and is_wanted(obj, state, identity)


def is_held_back(key: ObjectKey, state: State) -> bool:
    """Whether the brake keeps this record's object at the backend."""
    if key in state.held_back:
        return True
    owner = keys.port_and_host(key)[0] if keys.is_binding(key) else key
    return state.hold_all_absent and owner not in state.desired
