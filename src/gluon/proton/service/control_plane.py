"""The state of etcd and of the controllers, which explains a bind that nobody answered."""

from __future__ import annotations

from typing import Protocol

from gluon.contract.keys import ObjectKey
from gluon.contract.records import NOBODY, PortAnswer


class ControlPlane(Protocol):
    """Answers from memory, at once."""

    @property
    def trouble(self) -> str:
        """Why changes don't reach the controllers, or answers don't arrive, in etcd's own words; empty: they do.

        E.g. `etcd is unreachable: ...`, `etcd is out of space: ...`.
        """

    def answer(self, port: ObjectKey) -> PortAnswer:
        """The controllers' latest answer for a port; `NOBODY` for none."""

    def has_leader(self, controller: str) -> bool:
        """Whether a shim of this controller is alive."""

    def serves(self, controller: str, proton: str) -> bool:
        """Whether such a shim has a handler for this proton."""


class NoControlPlane:
    """Knows nothing: for programs that don't follow controllers, and for tests."""

    trouble = ""

    def answer(self, _port: ObjectKey) -> PortAnswer:
        """Nobody has the port."""
        return NOBODY

    def has_leader(self, _controller: str) -> bool:
        """Nobody is alive."""
        return False

    def serves(self, _controller: str, _proton: str) -> bool:
        """Nobody is alive."""
        return False
