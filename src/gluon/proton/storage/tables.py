"""The tables of all protons, made from their schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

from gluon.proton.storage.bindings import BindingStatements
from gluon.proton.storage.columns import (
    ADDED,
    DEFAULT_LENGTH,
    ID,
    TIME_LENGTH,
    UUID_LENGTH,
    JsonText,
    column,
    column_type,
)
from gluon.proton.storage.errors import DatabaseUnusable
from gluon.proton.storage.outbox import OutboxStatements
from gluon.proton.storage.releases import ReleaseStatements
from gluon.proton.storage.statements import ObjectStatements
from gluon.proton.storage.statuses import StatusStatements
from gluon.schema import Attribute, ObjectType, Proton

REVISION = "revision_number"
"""The column that counts an object's states."""

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class ObjectTable(NamedTuple):
    """Where the objects of one type are kept."""

    proton: Proton
    object_type: ObjectType
    table: Table
    key: Column[str]
    """The column of the primary key."""
    links: Mapping[str, Table]
    """By list attribute: a row (owner, target) for each item."""
    statements: ObjectStatements


class Tables:
    """All tables of one server; immutable after construction.

    Raises:
        DatabaseUnusable: two names of a model become one name in SQL.
    """

    def __init__(self, protons: Mapping[str, Proton]) -> None:
        self.metadata = MetaData(naming_convention=NAMING)
        self.protons = protons
        self.outbox = _outbox(self.metadata)
        self.outbox_statements = OutboxStatements(self.outbox)
        self.port_binding = _port_binding(self.metadata)
        self.binding_statements = BindingStatements(self.port_binding)
        self.released_binding = _released_binding(self.metadata)
        self.release_statements = ReleaseStatements(self.released_binding)
        self.object_status = _object_status(self.metadata)
        self.status_statements = StatusStatements(self.object_status)
        self.deployment = _deployment(self.metadata)
        self._objects: dict[tuple[str, str], ObjectTable] = {}
        for proton in protons.values():
            for object_type in proton.objects.values():
                self._objects[proton.name, object_type.name] = self._object_table(proton, object_type)

    def __getitem__(self, name: tuple[str, str]) -> ObjectTable:
        return self._objects[name]

    def get(self, proton: str, object_name: str) -> ObjectTable | None:
        """The table of one object type; None when no model has it."""
        return self._objects.get((proton, object_name))

    def _object_table(self, proton: Proton, object_type: ObjectType) -> ObjectTable:
        name = table_name(proton, object_type)
        self._refuse_taken(name, f"proton {proton.name}, object {object_type.name}")
        columns = [*_attribute_columns(proton, object_type), *_meta_columns()]
        _refuse_collisions(proton, object_type, columns)
        table = Table(name, self.metadata, *columns)
        _add_indexes(table, object_type)
        key: Column[str] = table.c[object_type.primary_key.name]
        links = {
            attribute.name: self._link_table(proton, object_type, attribute)
            for attribute in object_type.references
            if attribute.is_list
        }
        return ObjectTable(proton, object_type, table, key, links, ObjectStatements(table, key))

    def _link_table(self, proton: Proton, object_type: ObjectType, attribute: Attribute) -> Table:
        owner = table_name(proton, object_type)
        name = f"{owner}_{attribute.name.lower()}"
        self._refuse_taken(name, f"proton {proton.name}, object {object_type.name}, attribute {attribute.name}")
        target_type = proton.objects[attribute.reference]
        target = table_name(proton, target_type)
        return Table(
            name,
            self.metadata,
            Column(
                "owner",
                column_type(object_type.primary_key),
                ForeignKey(f"{owner}.{object_type.primary_key.name}", ondelete="CASCADE"),
                primary_key=True,
            ),
            Column(
                "target",
                column_type(target_type.primary_key),
                ForeignKey(f"{target}.{target_type.primary_key.name}", ondelete="RESTRICT"),
                primary_key=True,
                index=True,
            ),
        )

    def _refuse_taken(self, name: str, what: str) -> None:
        if name in self.metadata.tables:
            raise DatabaseUnusable(f"{what}: its table {name} would be that of another object; rename one")


def table_name(proton: Proton, object_type: ObjectType) -> str:
    """`<proton>_<object>` in lower case, as SQL has it."""
    return f"{proton.name}_{object_type.name}".lower().replace("-", "_")


def _attribute_columns(proton: Proton, object_type: ObjectType) -> Iterable[Column[object]]:
    for attribute in object_type.attributes.values():
        made = column(attribute)
        if attribute.reference and not attribute.is_list:
            target = proton.objects[attribute.reference]
            made.append_foreign_key(
                ForeignKey(f"{table_name(proton, target)}.{target.primary_key.name}", ondelete="RESTRICT")
            )
        yield made


def _add_indexes(table: Table, object_type: ObjectType) -> None:
    """Makes the look for another object of the same values fast.

    They are no unique indexes: one could not be made over the duplicates that an older version let in, knows no
    exception (`unless`), and would not say which object has the values.  The look itself is safe, since it is part
    of the transaction that writes, and SQLite has one of those at a time (`gluon.proton.service.uniqueness`).
    """
    for rule in object_type.unique:
        Index(f"rule_{table.name}_{rule.name.lower()}", *(table.c[name] for name in rule.unique))


def _meta_columns() -> Iterable[Column[object]]:
    yield Column("created_at", String(TIME_LENGTH), nullable=False)
    yield Column("updated_at", String(TIME_LENGTH), nullable=False)
    yield Column("status_reason", Text)
    # The default is for rows that a server of the version before adds to a shared database.
    yield Column(REVISION, ID, nullable=False, server_default="1")


def _refuse_collisions(proton: Proton, object_type: ObjectType, columns: Iterable[Column[object]]) -> None:
    seen: set[str] = set()
    for made in columns:
        name = made.name.lower()
        if name in seen:
            raise DatabaseUnusable(
                f"proton {proton.name}, object {object_type.name}: attribute {made.name} has the name of another "
                "column (SQL does not tell upper from lower case); rename it"
            )
        seen.add(name)


def _outbox(metadata: MetaData) -> Table:
    return Table(
        "outbox",
        metadata,
        Column("id", ID, primary_key=True, autoincrement=True),
        Column("proton", String(DEFAULT_LENGTH), nullable=False),
        Column("object", String(DEFAULT_LENGTH), nullable=False),
        Column("key", Text, nullable=False),
        Column("session", String(UUID_LENGTH)),
        Column("created_at", String(TIME_LENGTH), nullable=False),
        Column("request", String(UUID_LENGTH + len("req-"))),
        Index("ix_outbox_session_id", "session", "id"),
        Index("ix_outbox_object", "proton", "object", "key", "id"),
        sqlite_autoincrement=True,  # An id must never come back: etcd remembers the highest.
    )


def _port_binding(metadata: MetaData) -> Table:
    return Table(
        "port_binding",
        metadata,
        Column("proton", String(DEFAULT_LENGTH), primary_key=True),
        Column("port", String(DEFAULT_LENGTH), primary_key=True),
        Column("host", String(DEFAULT_LENGTH), primary_key=True),
        Column("token", String(DEFAULT_LENGTH), nullable=False),
        Column("active", Boolean, nullable=False),
        Column("state", String(DEFAULT_LENGTH), nullable=False),
        Column("controller", String(DEFAULT_LENGTH), nullable=False),
        Column("vnic_type", String(DEFAULT_LENGTH)),
        Column("profile", JsonText),
        Column("device_id", String(DEFAULT_LENGTH)),
        Column("vif_type", String(DEFAULT_LENGTH), nullable=False),
        Column("vif_details", JsonText, nullable=False),
        Column("reason", Text, nullable=False),
        Column("created_at", String(TIME_LENGTH), nullable=False),
        Column("updated_at", String(TIME_LENGTH), nullable=False),
        Index("ix_port_binding_state", "state"),
    )


def _released_binding(metadata: MetaData) -> Table:
    return Table(
        "released_binding",
        metadata,
        Column("proton", String(DEFAULT_LENGTH), primary_key=True),
        Column("port", String(DEFAULT_LENGTH), primary_key=True),
        Column("host", String(DEFAULT_LENGTH), primary_key=True),
        Column("controller", String(DEFAULT_LENGTH), primary_key=True),
        Column("attributes", JsonText, nullable=False),
        Column("released_at", String(TIME_LENGTH), nullable=False),
    )


def _object_status(metadata: MetaData) -> Table:
    return Table(
        "object_status",
        metadata,
        Column("proton", String(DEFAULT_LENGTH), primary_key=True),
        Column("object", String(DEFAULT_LENGTH), primary_key=True),
        Column("key", Text, primary_key=True),
        Column("source", String(DEFAULT_LENGTH), primary_key=True),
        Column("state", String(DEFAULT_LENGTH), nullable=False),
        Column("reason", Text, nullable=False),
        Column("failure", Text, nullable=False),
        Index("ix_object_status_source", "source"),
    )


def _deployment(metadata: MetaData) -> Table:
    return Table(
        "deployment",
        metadata,
        Column("id", String(UUID_LENGTH), primary_key=True),
        Column("epoch", String(UUID_LENGTH), nullable=False),
        Column("serial", ID, nullable=False),
        Column("legacy", Boolean, nullable=False),
        Column("checked_at", String(TIME_LENGTH)),
        Column("file_stamp", Integer, info={ADDED: True}),
    )
