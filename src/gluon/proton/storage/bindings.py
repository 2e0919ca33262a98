"""The bindings of ports to hosts: table `port_binding`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import asdict
from sqlalchemy import Connection, Row, Table, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from gluon.contract.keys import ObjectKey
from gluon.proton.storage.changes import Changes
from gluon.proton.storage.stored import BindingState, StoredBinding

_IN_LIMIT = 500
"""Most values in one IN (...)."""
_FIELDS = StoredBinding.__struct_fields__
_KEY = ("proton", "port", "host")


class BindingStatements:
    """The statements on the table, built once."""

    def __init__(self, table: Table) -> None:
        c = table.c
        fields = [c[name] for name in _FIELDS]
        of_proton = c.proton == bindparam("of_proton")
        self.of = select(*fields).where(of_proton, c.port.in_(bindparam("ports", expanding=True)))
        self.pending = select(*fields).where(of_proton, c.state == BindingState.PENDING.value)
        self.controllers = select(c.controller).where(of_proton).distinct()
        put = insert(table)
        others = {name: put.excluded[name] for name in c.keys() if name not in _KEY}  # noqa: SIM118 - no dict
        self.put = put.on_conflict_do_update(index_elements=_KEY, set_=others)
        self.delete = delete(table).where(of_proton, c.port == bindparam("of_port"), c.host == bindparam("of_host"))


class Bindings:
    """The bindings of one proton's ports as one transaction sees them."""

    def __init__(
        self, connection: Connection, statements: BindingStatements, proton: str, port: str, changed: Changes
    ) -> None:
        self._connection = connection
        self._statements = statements
        self._proton = proton
        self._object = port
        self._changed = changed
        self._known: dict[str, dict[str, StoredBinding]] = {}
        """By port and host, as far as they were read: nobody else writes during the transaction."""

    def of(self, port: str) -> list[StoredBinding]:
        """All bindings of one port, the active one first, then by host."""
        return self.of_many([port])[port]

    def of_many(self, ports: Sequence[str]) -> dict[str, list[StoredBinding]]:
        """As `of`, by port; each of `ports` is a key of the result."""
        missing = [port for port in ports if port not in self._known]
        for start in range(0, len(missing), _IN_LIMIT):
            part = missing[start : start + _IN_LIMIT]
            self._known.update({port: {} for port in part})
            for row in self._connection.execute(self._statements.of, {"of_proton": self._proton, "ports": part}):
                binding = _binding(row)
                self._known[binding.port][binding.host] = binding
        return {port: _ordered(self._known[port]) for port in ports}

    def get(self, port: str, host: str) -> StoredBinding | None:
        """The binding of a port to one host."""
        self.of(port)
        return self._known[port].get(host)

    def put(self, binding: StoredBinding) -> None:
        """Adds the binding, or changes the one of this port and host."""
        if self.get(binding.port, binding.host) != binding:
            values = {**asdict(binding), "state": binding.state.value, "proton": self._proton}
            self._connection.execute(self._statements.put, values)
            self._known[binding.port][binding.host] = binding
        self.tell(binding.port)

    def delete(self, port: str, host: str) -> bool:
        """Removes one binding; False when there is none."""
        if self.get(port, host) is None:
            return False
        parameters = {"of_proton": self._proton, "of_port": port, "of_host": host}
        self._connection.execute(self._statements.delete, parameters)
        del self._known[port][host]
        self.tell(port)
        return True

    def pending(self) -> list[StoredBinding]:
        """All bindings that wait for an answer."""
        return [
            _binding(row) for row in self._connection.execute(self._statements.pending, {"of_proton": self._proton})
        ]

    def controllers(self) -> set[str]:
        """The controllers that have answered for any binding."""
        parameters = {"of_proton": self._proton}
        return set(self._connection.execute(self._statements.controllers, parameters).scalars()) - {""}

    def tell(self, port: str) -> None:
        """Tells subscribers how the port's bindings are, even if this transaction leaves them alone.

        Another server on the same database may have changed them: its commits are no events here.
        """
        self._changed.bindings[ObjectKey(self._proton, self._object, port)] = tuple(self.of(port))


def _ordered(by_host: dict[str, StoredBinding]) -> list[StoredBinding]:
    return sorted(by_host.values(), key=lambda each: (not each.active, each.host))


def _binding(row: Row[Any]) -> StoredBinding:
    values = dict(zip(_FIELDS, row, strict=True))
    values["state"] = BindingState(values["state"])
    return StoredBinding(**values)
