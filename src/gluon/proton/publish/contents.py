"""The objects of a server's protons, as etcd lists them and as the database does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from msgspec import Struct

from gluon.contract import keys
from gluon.contract.keys import MalformedKey, ObjectKey
from gluon.contract.records import MalformedRecord, PortRegistration, decode
from gluon.etcd import Client, KeyValue
from gluon.proton.storage import Transaction
from gluon.schema import Proton


class Contents(Struct, frozen=True, kw_only=True):
    """Everything below `/proton/` and `/gluon/port/`, for these protons."""

    values: dict[ObjectKey, bytes]
    """Published objects; empty values in a list of keys only."""
    registrations: dict[ObjectKey, bytes]
    """Of ports, their registrations."""
    malformed: tuple[str, ...]
    """Keys below `/proton/` that name no object."""

    def objects(self) -> Iterator[ObjectKey]:
        """All objects, those included that only a registration is left of."""
        yield from self.values
        yield from (key for key in self.registrations if key not in self.values)


async def read_contents(client: Client, protons: Mapping[str, Proton], *, keys_only: bool = False) -> Contents:
    """Lists everything.

    Args:
        client: etcd.
        protons: whose objects.
        keys_only: leave the objects' values out.

    Raises:
        EtcdError.
    """
    values: dict[ObjectKey, bytes] = {}
    malformed: list[str] = []
    for proton in protons.values():
        async for page in client.pages(keys.desired_prefix(proton.name), keys_only=keys_only):
            for item in page.items:
                try:
                    values[keys.parse(item.key, keys.PROTON)] = item.value
                except MalformedKey as error:
                    malformed.append(str(error))
    registrations: dict[ObjectKey, bytes] = {}
    async for page in client.pages(keys.PORT_REGISTRATION):
        for item in page.items:
            key = _registered_port(protons, item)
            if key is not None:
                registrations[key] = item.value
    return Contents(values=values, registrations=registrations, malformed=tuple(malformed))


def all_keys(tx: Transaction, protons: Mapping[str, Proton]) -> list[ObjectKey]:
    """Names every object of the database."""
    return [
        ObjectKey(proton.name, name, key)
        for proton in protons.values()
        for name in proton.objects
        for key in tx.objects(proton.name, name).all_keys()
    ]


def _registered_port(protons: Mapping[str, Proton], item: KeyValue) -> ObjectKey | None:
    """The port that a registration is of; None when it is not one of our protons'."""
    try:
        proton = protons.get(decode(PortRegistration, item.value).service)
        key = unquote(item.key.removeprefix(keys.PORT_REGISTRATION), errors="strict")
    except (MalformedRecord, UnicodeDecodeError):
        return None  # Whose it is can't be told, so it stays.
    return None if proton is None else ObjectKey(proton.name, proton.port.name, key)
