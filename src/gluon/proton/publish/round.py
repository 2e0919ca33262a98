"""Reads what one round of the publisher is to write: pending rows and the objects as they are now."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from gluon.contract import rest
from gluon.contract.keys import ObjectKey
from gluon.contract.records import PortRegistration, encode, encode_attributes
from gluon.proton.publish.writer import Item
from gluon.proton.storage import Pending, Stored, Transaction
from gluon.schema import Base, ObjectType, Proton


class Round(Struct, frozen=True):
    """What is to be written."""

    items: list[Item]
    others: bool
    """Objects wait for another server."""
    full: bool
    """There may be more."""


def read_round(tx: Transaction, *, session: str, limit: int, protons: Mapping[str, Proton], url: str) -> Round:
    """Reads the state of every object that the session may publish.

    Args:
        tx: sees one state of outbox and objects; that makes `the latest state wins` true.
        session: whose rows.
        limit: most rows.
        protons: whose objects are published.
        url: of this server.
    """
    pending, others = tx.outbox.pending(session, limit)
    by_type: dict[tuple[str, str], list[Pending]] = {}
    for each in pending:
        by_type.setdefault((each.key.proton, each.key.object), []).append(each)
    items: list[Item] = []
    for (proton, name), group in by_type.items():
        rows = tx.known_objects(proton, name)
        # An object type that no model has any more leaves nothing to publish but its deletion.
        stored = {} if rows is None else rows.get_many([each.key.key for each in group])
        object_type = None if rows is None else rows.object_type
        items += [_item(each, stored.get(each.key.key), object_type, protons[proton], url) for each in group]
    items.sort(key=lambda item: item.ids[0])
    return Round(items, others, full=sum(len(each.ids) for each in pending) >= limit)


def _item(pending: Pending, stored: Stored | None, object_type: ObjectType | None, proton: Proton, url: str) -> Item:
    is_port = object_type is not None and object_type.base is Base.PORT
    if stored is None or object_type is None:
        return Item(key=pending.key, ids=pending.ids, value=None, is_port=is_port)
    # What the server sets isn't wanted of anybody: published, each answer would be a new wish.
    attributes = {
        name: stored.attributes[name] for name, attribute in object_type.attributes.items() if not attribute.read_only
    }
    return Item(
        key=pending.key,
        ids=pending.ids,
        value=encode_attributes(attributes),
        registration=_registration(stored, pending.key, proton, url) if is_port else None,
        is_port=is_port,
        rewrite=pending.rewrite,
        bind_request=_unpublished_request(stored, pending.ids[-1]),
    )


def _registration(port: Stored, key: ObjectKey, proton: Proton, url: str) -> bytes:
    return encode(
        PortRegistration(
            tenant_id=str(port.attributes["tenant_id"]),
            service=key.proton,
            url=url + rest.version_path(proton).rstrip("/"),
        )
    )


def _unpublished_request(stored: Stored, newest: int) -> int | None:
    if stored.bind_request is None or stored.bind_revision is not None or stored.bind_request > newest:
        return None
    return stored.bind_request
