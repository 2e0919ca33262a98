"""What a mirror knows: which revision of each key was handed on, and where the watch goes on.  Pure.

The watch may repeat itself, a list may repeat what the watch said, and both may break off at any
point.  Fed with all of that, a replica lets each change pass once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from gluon.etcd.errors import ClusterReplaced
from gluon.etcd.types import Event


class Landmark(Struct, frozen=True):
    """A fact of the history mirrored so far, which another etcd would not know."""

    key: bytes
    mod_revision: int
    """As read at `revision`; 0: the key did not exist."""
    revision: int


class Replica:
    """Revisions by key, and the point up to which everything has been seen.

    A list is fed as `begin_list`, `listed` any number of times, `end_list`; it may be dropped at any
    point and begun again.  A watch from `resume` on is fed as `watched`.
    """

    def __init__(self, prefix: bytes) -> None:
        self.resume = 0
        """All changes up to here have been handed on; 0: not even the first list has."""
        self.landmark = Landmark(prefix, 0, 0)
        self._revisions: dict[bytes, int] = {}
        self._deleted: dict[bytes, int] = {}
        """Keys deleted after `resume`: what remembers a delete until the watch can't repeat it."""
        self._listing: set[bytes] | None = None
        self._newest: Landmark = self.landmark

    def __len__(self) -> int:
        """How many keys exist."""
        return len(self._revisions)

    def begin_list(self, revision: int) -> None:
        """A list at `revision` follows.

        Raises:
            ClusterReplaced: the revision lies before what was already seen.
        """
        if revision < self._newest.revision:
            raise ClusterReplaced(
                f"etcd is at revision {revision}, but revision {self._newest.revision} was already seen: its"
                " data was lost or restored from a backup"
            )
        self._listing = set() if self._revisions else None
        self._newest = Landmark(self.landmark.key, 0, revision)

    def listed(self, events: Iterable[Event]) -> Iterator[Event]:
        """Passes what the list shows and was not handed on yet; `events` are puts.

        Raises:
            ClusterReplaced: the list contradicts what was already seen.
        """
        for event in events:
            known = self._revisions.get(event.key, 0)
            if known != event.revision and event.revision <= max(known, self.resume):
                raise ClusterReplaced(
                    f"etcd lists {event.key!r} as of revision {event.revision}, but at revision {self.resume} it"
                    f" was as of {known or 'absent'}: this is not the history seen before"
                )
            if self._listing is not None:
                self._listing.add(event.key)
            if event.revision > self._newest.mod_revision:
                self._newest = Landmark(event.key, event.revision, self._newest.revision)
            if event.revision > known:
                self._revisions[event.key] = event.revision
                yield event

    def end_list(self) -> Iterator[Event]:
        """The list is complete: passes a delete of every key that it did not show."""
        revision = self._newest.revision
        if self._listing is not None:
            for key in [key for key in self._revisions if key not in self._listing]:
                del self._revisions[key]
                yield Event(key, None, revision)
        self._listing = None
        self.landmark = self._newest
        self._settle(revision)

    def watched(self, events: Iterable[Event], *, complete: bool) -> Iterator[Event]:
        """Passes what the watch says and was not handed on yet.

        `complete` is False for a fragment that is not the last of its response: the rest may hold
        more of the same revision, so the resume point stays where it is.  It moves once all of
        the iterator has been taken.
        """
        last: Event | None = None
        for event in events:
            last = event
            if event.revision <= self.resume or event.revision <= self._known(event.key):
                continue
            if event.value is None:
                self._revisions.pop(event.key, None)
                self._deleted[event.key] = event.revision
            else:
                self._deleted.pop(event.key, None)
                self._revisions[event.key] = event.revision
            self._newest = _landmark(event)
            yield event
        if complete and last is not None and last.revision > self.resume:
            self.landmark = _landmark(last)
            self._settle(last.revision)

    def _known(self, key: bytes) -> int:
        return self._revisions.get(key) or self._deleted.get(key, 0)

    def _settle(self, revision: int) -> None:
        self.resume = revision
        # Of a response that broke off, later deletes were handed on already: the watch will repeat these.
        self._deleted = {key: deleted for key, deleted in self._deleted.items() if deleted > revision}


def _landmark(event: Event) -> Landmark:
    return Landmark(event.key, 0 if event.value is None else event.revision, event.revision)
