"""Each object as etcd shall hold it: read from the database, and made into operations."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import REQUEST, PortRegistration, WantedBinding, encode, encode_attributes, encode_port
from gluon.etcd import Compare, Delete, Op, Put, Txn
from gluon.proton.storage import Pending, Stored, StoredBinding, Transaction
from gluon.schema import Base, ObjectType

MOST_COMPARED = 256 * 1024
"""Bytes of the largest value that is compared before it is put: it travels twice, and etcd takes 1.5 MiB."""


class Item(Struct, frozen=True, kw_only=True):
    """One object as etcd shall hold it, and the changes that this settles."""

    key: ObjectKey
    ids: tuple[int, ...]
    """Outbox ids, ascending."""
    value: bytes | None
    """None: nothing, the object is deleted."""
    registration: bytes | None = None
    """The value of a port's registration."""
    is_port: bool = False


class Round(Struct, frozen=True):
    """The work of one round."""

    items: list[Item]
    others: bool
    """Objects wait for another server."""
    full: bool
    """There may be more."""


def read_round(tx: Transaction, *, session: str, limit: int, url: str) -> Round:
    """Reads the state of every object that the session may publish.

    Args:
        tx: sees one state of outbox and objects; that makes `the latest state wins` true.
        session: whose rows.
        limit: most rows.
        url: of this server.
    """
    pending, others = tx.outbox.pending(session, limit)
    items = read_items(tx, pending, url)
    items.sort(key=lambda item: item.ids[0])
    return Round(items, others, full=sum(len(each.ids) for each in pending) >= limit)


def read_items(tx: Transaction, pending: Sequence[Pending], url: str) -> list[Item]:
    """Reads objects as they are now, in the order of their types; arguments as of `read_round`."""
    by_type: dict[tuple[str, str], list[Pending]] = {}
    for each in pending:
        by_type.setdefault((each.key.proton, each.key.object), []).append(each)
    items: list[Item] = []
    for (proton, name), group in by_type.items():
        rows = tx.known_objects(proton, name)
        if rows is None:  # No model has the type any more: only the deletion is left to publish.
            items += [Item(key=each.key, ids=each.ids, value=None) for each in group]
            continue
        wanted = [each.key.key for each in group]
        stored = rows.get_many(wanted)
        bindings: dict[str, list[StoredBinding]] = {}
        if rows.object_type.base is Base.PORT:
            bindings = tx.bindings(proton).of_many(wanted)
        for each in group:
            found = stored.get(each.key.key)
            items.append(_item(each, found, rows.object_type, bindings.get(each.key.key), url))
    return items


def operation(item: Item) -> Op:
    """All operations of one object as one transaction within the transaction."""
    value = _put(keys.desired(item.key), item.value)
    if not item.is_port:
        return value
    return Txn([], [value, _put(keys.port_registration(item.key.key), item.registration)])


def _put(key: bytes, value: bytes | None) -> Op:
    if value is None:
        return Delete(key)
    if len(value) > MOST_COMPARED:
        return Put(key, value)
    # A value that is there already isn't put again: that would be a new revision to every shim.
    return Txn([Compare.value(key, value)], [], [Put(key, value)])


def _item(
    pending: Pending,
    stored: Stored | None,
    object_type: ObjectType,
    bindings: Sequence[StoredBinding] | None,
    url: str,
) -> Item:
    is_port = bindings is not None
    if stored is None:
        return Item(key=pending.key, ids=pending.ids, value=None, is_port=is_port)
    # Attributes that the server itself sets are no wishes: published, each answer would come back as a new one.
    attributes = {
        name: stored.attributes[name] for name, attribute in object_type.attributes.items() if not attribute.read_only
    }
    # An object that has not changed since an attribute was added lacks it, as before: an upgrade changes no object.
    for name in object_type.added:
        if attributes[name] is None:
            del attributes[name]
    if pending.request:
        attributes[REQUEST] = pending.request
    if bindings is None:
        return Item(key=pending.key, ids=pending.ids, value=encode_attributes(attributes))
    token = next((each.token for each in bindings if each.active), "")
    others = [
        WantedBinding(host_id=each.host, token=each.token, vnic_type=each.vnic_type, profile=each.profile)
        for each in bindings
        if not each.active
    ]
    registration = PortRegistration(tenant_id=str(stored.attributes["tenant_id"]), service=pending.key.proton, url=url)
    return Item(
        key=pending.key,
        ids=pending.ids,
        value=encode_port(attributes, token, others),
        registration=encode(registration),
        is_port=True,
    )
