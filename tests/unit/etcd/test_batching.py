"""Which writes share a transaction."""

from __future__ import annotations

from collections import defaultdict, deque

from hypothesis import given
from hypothesis import strategies as st

from gluon.etcd import MAX_TXN_OPERATIONS, Compare, Delete, DeletePrefix, Get, Op, Put, Txn
from gluon.etcd.batching import MAX_BYTES, MAX_OPERATIONS, Batching, Weight, weigh

LIGHT = Weight(0, 10)


def test_a_weight_counts_all_bytes_that_travel_and_the_longest_way_down() -> None:
    assert weigh(Put(b"key", b"value")) == Weight(0, 8)
    assert [weigh(op) for op in (Delete(b"key"), DeletePrefix(b"key"), Get(b"key"))] == [Weight(0, 3)] * 3
    inner = Txn([], [Put(b"a", b"1")] * 3)
    guard = [Compare.value(b"key", b"value"), Compare.mod_revision(b"key", 7)]
    assert weigh(inner) == Weight(3, 6)
    assert weigh(Txn(guard, [inner], [Get(b"x"), inner])) == Weight(2 + 3, 11 + 6 + 1 + 6)
    assert weigh(Txn([], [])) == Weight(0, 0)


def test_a_batch_ends_where_another_write_would_be_too_much() -> None:
    many: Batching[int] = Batching()
    for n in range(MAX_OPERATIONS * 2):
        many.add(n, LIGHT, n)
    assert list(many.take()) == list(range(MAX_OPERATIONS))
    deep: Batching[int] = Batching()
    for n in range(MAX_OPERATIONS):
        deep.add(n, Weight(20 if n == 10 else 0, 10), n)
    assert len(deep.take()) == MAX_OPERATIONS - 20
    large: Batching[int] = Batching()
    for n, size in enumerate([MAX_BYTES // 2, MAX_BYTES // 2, 1, MAX_BYTES * 2, 1]):
        large.add(n, Weight(0, size), n)
    assert [list(large.take()) for _ in range(4)] == [[0, 1], [2], [3], [4]]


def test_a_key_waits_until_its_write_has_ended() -> None:
    batching: Batching[str] = Batching()
    for write in ("a1", "a2", "b1", "a3"):
        batching.add(write[0], LIGHT, write)
    assert list(batching.take()) == ["a1", "b1"]
    assert list(batching.take()) == []
    batching.add("b", LIGHT, "b2")
    batching.done("a")
    assert list(batching.take()) == ["a2"]
    batching.done("ab")
    assert sorted(batching.take()) == ["a3", "b2"]
    batching.done("ab")
    assert len(batching) == 0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 4), st.integers(0, MAX_BYTES), st.integers(0, MAX_OPERATIONS)),
        st.just("take"),
        st.integers(0, 3),
    )
)


@given(STEPS)
def test_every_write_comes_out_once_in_the_order_of_its_key_and_within_the_limits(steps: list[object]) -> None:
    batching: Batching[tuple[int, int, Weight]] = Batching()
    added: dict[int, list[int]] = defaultdict(list)
    taken: dict[int, list[int]] = defaultdict(list)
    under_way: deque[list[int]] = deque()

    def take() -> None:
        batch = batching.take()
        keys = [key for key, _, _ in batch]
        assert len(set(keys)) == len(keys)
        assert not {key for keys in under_way for key in keys} & set(keys)
        weights = [weight for _, _, weight in batch]
        if len(batch) > 1:
            assert sum(weight.size for weight in weights) <= MAX_BYTES
            assert len(batch) + max(weight.nested for weight in weights) <= MAX_OPERATIONS < MAX_TXN_OPERATIONS
        for key, number, _ in batch:
            taken[key].append(number)
        under_way.append(keys)

    for number, step in enumerate(steps):
        if step == "take":
            take()
        elif isinstance(step, tuple):
            key, size, nested = step
            weight = Weight(nested, size)
            batching.add(key, weight, (key, number, weight))
            added[key].append(number)
        elif under_way:
            assert isinstance(step, int)
            under_way.rotate(step)
            batching.done(under_way.popleft())
    while batching or under_way:
        take()
        while under_way:
            batching.done(under_way.popleft())
    assert taken == added


def test_what_waits_can_be_taken_out() -> None:
    batching: Batching[str] = Batching()
    for write in ("a1", "a2", "b1"):
        batching.add(write[0], LIGHT, write)
    batching.take()
    assert list(batching.drain()) == ["a2"]
    assert len(batching) == 0
    batching.done("ab")
    assert list(batching.take()) == []


def test_an_operation_within_operations_weighs_what_etcd_counts() -> None:
    op: Op = Put(b"a", b"")
    for depth in range(1, 5):
        op = Txn([], [op])
        assert weigh(op).nested == depth
