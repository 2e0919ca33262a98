"""Whatever way list and watch break off, repeat and interleave: each change passes once."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gluon.etcd import ClusterReplaced, Event
from gluon.etcd.replica import Landmark, Replica

KEYS = [b"p/%d" % n for n in range(6)]


class Store:
    """What etcd would do."""

    def __init__(self) -> None:
        self.revision = 1
        self.history: list[Event] = []
        self.content: dict[bytes, Event] = {}

    def commit(self, changes: dict[bytes, bool]) -> None:
        """One revision: keys put (True) or deleted (False)."""
        self.revision += 1
        for key, put in changes.items():
            if not put and key not in self.content:
                continue
            event = Event(key, b"%d" % self.revision if put else None, self.revision)
            self.history.append(event)
            if put:
                self.content[key] = event
            else:
                del self.content[key]

    def at(self, revision: int) -> dict[bytes, Event]:
        content: dict[bytes, Event] = {}
        for event in self.history:
            if event.revision <= revision:
                content.pop(event.key, None) if event.value is None else content.update({event.key: event})
        return content


class ReplicaMachine(RuleBasedStateMachine):
    """Commits, watches that break off anywhere, lists that break off anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store()
        self.replica = Replica(b"p/")
        self.passed: list[Event] = []
        self.state: dict[bytes, bytes] = {}
        self.first_list = 0
        self.listed_again = False

    def take(self, events: Iterable[Event]) -> None:
        for event in events:
            self.passed.append(event)
            if event.value is None:
                del self.state[event.key]
            else:
                self.state[event.key] = event.value

    @initialize(commits=st.lists(st.dictionaries(st.sampled_from(KEYS), st.booleans()), max_size=5))
    def begin(self, commits: list[dict[bytes, bool]]) -> None:
        for changes in commits:
            self.store.commit(changes)

    @rule(changes=st.dictionaries(st.sampled_from(KEYS), st.booleans(), min_size=1))
    def commit(self, changes: dict[bytes, bool]) -> None:
        self.store.commit(changes)

    @rule(
        pages=st.integers(1, 4),
        taken=st.integers(0, 4),
        meanwhile=st.dictionaries(st.sampled_from(KEYS), st.booleans()),
    )
    def list(self, pages: int, taken: int, meanwhile: dict[bytes, bool]) -> None:
        """At one revision, while the store goes on; breaks off after `taken` pages."""
        revision = self.store.revision
        shown = sorted(self.store.at(revision).values(), key=lambda event: event.key)
        self.listed_again = self.listed_again or bool(self.first_list)
        self.replica.begin_list(revision)
        for page in range(pages):
            if page == taken:
                self.listed_again = True
                return
            self.store.commit(meanwhile)
            self.take(self.replica.listed(shown[page::pages]))
        self.take(self.replica.end_list())
        self.first_list = self.first_list or revision

    @rule(
        data=st.data(),
        repeats=st.integers(1, 2),
        back=st.integers(0, 3),
    )
    def watch(self, data: st.DataObject, repeats: int, back: int) -> None:
        """From the resume point, or before it, cut into fragments; breaks off anywhere."""
        if not self.replica.resume:
            return
        pending = [event for event in self.store.history if event.revision > self.replica.resume - back]
        while pending:
            edges = [n for n in range(1, len(pending)) if pending[n].revision != pending[n - 1].revision]
            size = data.draw(st.sampled_from([*edges, len(pending)]), label="response")
            response, pending = pending[:size], pending[size:]
            cut = data.draw(st.integers(0, size), label="fragment")
            parts = [(response[:cut], False), (response[cut:], True)] if 0 < cut < size else [(response, True)]
            for part, complete in parts:
                if data.draw(st.integers(0, 5), label="break") == 0:
                    return
                for _ in range(repeats):
                    self.take(self.replica.watched(part, complete=complete))

    @invariant()
    def nothing_passes_twice_or_backwards(self) -> None:
        latest: dict[bytes, int] = {}
        for event in self.passed:
            assert event.revision > latest.get(event.key, 0)
            latest[event.key] = event.revision

    @invariant()
    def the_landmark_is_a_fact_of_the_store(self) -> None:
        if self.replica.resume:
            landmark = self.replica.landmark
            found = self.store.at(landmark.revision).get(landmark.key)
            assert landmark.mod_revision == (found.revision if found else 0)
            assert landmark.revision <= self.replica.resume

    @invariant()
    def puts_are_those_of_the_store(self) -> None:
        history = set(self.store.history)
        assert all(event in history for event in self.passed if event.value is not None)

    def teardown(self) -> None:
        """Once all is delivered, the state is the store's; without new lists, so is the history."""
        if not self.replica.resume:
            self.list(1, 1, {})
        self.take(
            self.replica.watched(
                [event for event in self.store.history if event.revision > self.replica.resume], complete=True
            )
        )
        assert self.state == {key: event.value for key, event in self.store.content.items()}
        assert len(self.replica) == len(self.state)
        if not self.listed_again:
            later = [event for event in self.store.history if event.revision > self.first_list]
            assert [event for event in self.passed if event.revision > self.first_list] == later


ReplicaMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)
TestReplica = ReplicaMachine.TestCase


def listed(replica: Replica, revision: int, *events: Event) -> list[Event]:
    replica.begin_list(revision)
    return [*replica.listed(events), *replica.end_list()]


def test_a_list_moves_the_resume_point_and_a_watch_moves_it_on() -> None:
    replica = Replica(b"p/")
    assert replica.resume == 0
    assert listed(replica, 7, Event(b"p/a", b"1", 5)) == [Event(b"p/a", b"1", 5)]
    assert replica.resume == 7
    assert list(replica.watched([Event(b"p/a", None, 9)], complete=True)) == [Event(b"p/a", None, 9)]
    assert replica.resume == 9
    assert replica.landmark == Landmark(b"p/a", 0, 9)


def test_a_fragment_leaves_the_resume_point_and_its_repetition_passes_once() -> None:
    replica = Replica(b"p/")
    listed(replica, 1)
    first = [Event(b"p/a", b"1", 2), Event(b"p/b", b"1", 2)]
    second = [Event(b"p/c", b"1", 2), Event(b"p/a", None, 3)]
    assert list(replica.watched(first, complete=False)) == first
    assert replica.resume == 1
    assert list(replica.watched(first, complete=False)) == []
    assert list(replica.watched(second, complete=True)) == second
    assert replica.resume == 3


def test_a_new_list_passes_only_the_differences() -> None:
    replica = Replica(b"p/")
    listed(replica, 5, Event(b"p/a", b"1", 2), Event(b"p/b", b"1", 3), Event(b"p/c", b"1", 4))
    again = listed(replica, 9, Event(b"p/a", b"1", 2), Event(b"p/c", b"2", 8), Event(b"p/d", b"1", 9))
    assert again == [Event(b"p/c", b"2", 8), Event(b"p/d", b"1", 9), Event(b"p/b", None, 9)]


def test_a_list_before_what_was_seen_is_of_another_store() -> None:
    replica = Replica(b"p/")
    listed(replica, 5)
    with pytest.raises(ClusterReplaced, match="revision 4, but revision 5 was already seen"):
        replica.begin_list(4)


@pytest.mark.parametrize(
    "event",
    [Event(b"p/a", b"1", 3), Event(b"p/new", b"1", 4)],
    ids=["a known key went back", "a key appears in the past"],
)
def test_a_list_that_contradicts_the_past_is_of_another_store(event: Event) -> None:
    replica = Replica(b"p/")
    listed(replica, 5, Event(b"p/a", b"1", 4))
    with pytest.raises(ClusterReplaced, match="not the history seen before"):
        listed(replica, 9, event)


def test_a_delete_of_a_response_that_broke_off_is_not_handed_on_again() -> None:
    replica = Replica(b"p/")
    listed(replica, 5, Event(b"p/a", b"1", 4), Event(b"p/b", b"1", 5))
    put, delete, more = Event(b"p/a", b"2", 6), Event(b"p/b", None, 7), Event(b"p/a", b"3", 8)
    assert list(replica.watched([put, delete], complete=False)) == [put, delete]
    # The watch begins again, and etcd cuts its responses in another way.
    assert list(replica.watched([put], complete=True)) == []
    assert (replica.resume, replica.landmark) == (6, Landmark(b"p/a", 6, 6))
    assert list(replica.watched([delete, more], complete=True)) == [more]
    assert (replica.resume, replica.landmark) == (8, Landmark(b"p/a", 8, 8))
