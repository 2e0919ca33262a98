"""Which objects have, or are to have, the values that only one object of a type can have (`rules: unique`).

An object claims the values with which it is desired, with which it was applied, and with which it may have been.
Belongs here: who claims the same.  Does not belong here: who of them may have it, which is a rule of the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gluon.contract.keys import ObjectKey
from gluon.schema import ObjectType, Proton, Unique, Value

_Values = tuple[str, str, tuple[Value, ...]]
"""An object type, the name of a rule, and the values."""


class _Claim(NamedTuple):
    values: _Values
    excepted: bool
    """Others that are excepted as well may have the same."""


class Claims:
    """The claims of all objects of one proton.  Nearly always each has one object, and nothing is contested."""

    def __init__(self, proton: Proton) -> None:
        self._types = proton.objects
        self._claims: dict[ObjectKey, tuple[_Claim, ...]] = {}
        self._holders: dict[_Claim, tuple[ObjectKey, ...]] = {}
        self._contested: set[_Values] = set()

    def __len__(self) -> int:
        """How many values are claimed by several objects that can't all have them."""
        return len(self._contested)

    def is_contested(self, key: ObjectKey) -> bool:
        """Whether other objects claim something that this one claims."""
        return bool(self._contested) and any(claim.values in self._contested for claim in self._claims.get(key, ()))

    def rivals(self, key: ObjectKey, rule: Unique) -> list[ObjectKey]:
        """The others that claim the same by one rule, in their order."""
        found: set[ObjectKey] = set()
        for claim in self._claims.get(key, ()):
            if claim.values[1] == rule.name and claim.values in self._contested:
                found.update(self._against(claim))
        found.discard(key)
        return sorted(found)

    def around(self, keys: Iterable[ObjectKey]) -> set[ObjectKey]:
        """These objects, their rivals, the rivals of those, and so on."""
        found = set(keys)
        ahead, seen = list(found), set[_Claim]()
        while ahead:
            for claim in self._claims.get(ahead.pop(), ()):
                if claim.values in self._contested and claim not in seen:
                    seen.add(claim)
                    more = set(self._against(claim)) - found
                    found |= more
                    ahead += more
        return found

    def update(self, key: ObjectKey, told: Iterable[Mapping[str, Value]]) -> set[ObjectKey]:
        """The object claims what it has in each of these forms, and nothing else.

        Returns:
            The others that claim what it claims no more.
        """
        before, after = self._claims.get(key, ()), _claims(self._types[key.object], told)
        if before == after:
            return set()
        if after:
            self._claims[key] = after
        else:
            del self._claims[key]
        for claim in after:
            if claim not in before:
                self._add(claim, key)
        released: set[ObjectKey] = set()
        for claim in before:
            if claim not in after:
                released.update(self._against(claim))
                self._remove(claim, key)
        released.discard(key)
        return released

    def _against(self, claim: _Claim) -> tuple[ObjectKey, ...]:
        """Those that can't have it beside a holder of this claim, and that holder among them."""
        exclusive = self._holders.get(_Claim(claim.values, excepted=False), ())
        return exclusive if claim.excepted else exclusive + self._holders.get(_Claim(claim.values, excepted=True), ())

    def _add(self, claim: _Claim, key: ObjectKey) -> None:
        self._holders[claim] = (*self._holders.get(claim, ()), key)
        self._judge(claim.values)

    def _remove(self, claim: _Claim, key: ObjectKey) -> None:
        left = tuple(holder for holder in self._holders[claim] if holder != key)
        if left:
            self._holders[claim] = left
        else:
            del self._holders[claim]
        self._judge(claim.values)

    def _judge(self, values: _Values) -> None:
        """Notes whether the values are contested; many that are all excepted don't contest them."""
        exclusive = self._holders.get(_Claim(values, excepted=False), ())
        if exclusive and len(exclusive) + len(self._holders.get(_Claim(values, excepted=True), ())) > 1:
            self._contested.add(values)
        else:
            self._contested.discard(values)


def _claims(object_type: ObjectType, told: Iterable[Mapping[str, Value]]) -> tuple[_Claim, ...]:
    found: dict[_Claim, None] = {}
    for attributes in told:
        for rule in object_type.unique:
            values = object_type.claim(rule, attributes)
            if values is not None:
                found[_Claim((object_type.name, rule.name, values), rule.is_excepted(attributes))] = None
    return tuple(found)
