"""Objects that are stored and that their model does not allow: an older version, or an older model, took them.

They are served and published as they are.  Each is named in the log, and counted until it is changed or deleted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from functools import partial

from gluon.contract.keys import ObjectKey
from gluon.proton.storage import Database, Transaction
from gluon.schema import ObjectType, Proton, Value, violations

log = logging.getLogger(__name__)

PAGE = 200
"""Objects that are read and judged in one transaction."""
PAUSE = 0.01
"""Seconds between two pages: requests go first."""
NAMED = 100
"""Most objects that the log names one by one."""


class Conformity:
    """Looks through the database once, and again at the objects that it found."""

    def __init__(self, database: Database, protons: Mapping[str, Proton]) -> None:
        """Nothing is read yet.

        Args:
            database: whose objects.
            protons: by name.
        """
        self._database = database
        self._protons = protons
        self._found: dict[ObjectKey, str] = {}

    async def run(self) -> None:
        """Judges every object.

        Raises:
            DatabaseUnavailable: now; to be run again.
        """
        found: dict[ObjectKey, str] = {}
        for proton in self._protons.values():
            for object_type in proton.objects.values():
                found |= await self._of_type(proton, object_type)
        self._found = found
        for number, (key, problem) in enumerate(found.items()):
            if number == NAMED:
                log.warning("%d more objects are not as their models want them", len(found) - NAMED)
                break
            log.warning("%s %s of %s is not as its model wants it: %s", key.object, key.key, key.proton, problem)

    async def words(self) -> str:
        """How many objects there are that their model does not allow, with one of them; empty: none.

        Raises:
            DatabaseUnavailable: now.
        """
        if not self._found:
            return ""
        known = dict(self._found)
        still = await self._database.read(lambda tx: _still(tx, self._protons, known))
        self._found = {key: problem for key, problem in self._found.items() if key not in known} | still
        if not still:
            return ""
        key, problem = next(iter(still.items()))
        count = "1 object is" if len(still) == 1 else f"{len(still)} objects are"
        return (
            f"{count} not as the model wants, for example {key.object} {key.key} of {key.proton}: {problem}; change "
            "or delete them, the log names each"
        )

    async def _of_type(self, proton: Proton, object_type: ObjectType) -> dict[ObjectKey, str]:
        found: dict[ObjectKey, str] = {}
        marker: str | None = None
        while True:
            last, page = await self._database.read(partial(_page, proton, object_type, marker))
            found |= page
            if last is None:
                break
            marker = last
            await asyncio.sleep(PAUSE)
        return found | await self._database.read(lambda tx: _alike(tx, proton, object_type))


def _page(
    proton: Proton, object_type: ObjectType, marker: str | None, tx: Transaction
) -> tuple[str | None, dict[ObjectKey, str]]:
    """The last key of one page, None when there is no further one, and the objects that are wrong."""
    stored = tx.objects(proton.name, object_type.name).find({}, limit=PAGE, marker=marker)
    keys = [str(each.attributes[object_type.primary_key.name]) for each in stored]
    found = {
        ObjectKey(proton.name, object_type.name, key): words
        for key, each in zip(keys, stored, strict=True)
        if (words := _words(object_type, each.attributes))
    }
    return (keys[-1] if len(keys) == PAGE else None), found


def _words(object_type: ObjectType, attributes: Mapping[str, Value]) -> str:
    problems = violations(object_type, attributes)
    return "; ".join(f"{problem.attribute}: {problem.message}" for problem in problems)


def _alike(tx: Transaction, proton: Proton, object_type: ObjectType) -> dict[ObjectKey, str]:
    """The objects that have what only one can have."""
    found: dict[ObjectKey, str] = {}
    rows = tx.objects(proton.name, object_type.name)
    for rule in object_type.unique:
        for keys in rows.alike(rule):
            for key in keys:
                others = ", ".join(other for other in keys if other != key)
                words = f"it has the same {' and '.join(rule.unique)} as {object_type.name} {others}"
                found[ObjectKey(proton.name, object_type.name, key)] = words
    return found


def _still(tx: Transaction, protons: Mapping[str, Proton], keys: Iterable[ObjectKey]) -> dict[ObjectKey, str]:
    """Those of the objects that are still wrong."""
    still: dict[ObjectKey, str] = {}
    alike: dict[tuple[str, str], dict[ObjectKey, str]] = {}
    for key in keys:
        object_type = protons[key.proton].objects[key.object]
        stored = tx.objects(key.proton, key.object).get(key.key)
        if stored is None:
            continue
        same = alike.get((key.proton, key.object))
        if same is None:
            same = alike[key.proton, key.object] = _alike(tx, protons[key.proton], object_type)
        words = _words(object_type, stored.attributes) or same.get(key, "")
        if words:
            still[key] = words
    return still
