"""What a living shim knows is carried into an etcd that was replaced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import NOBODY, AppliedRecord, Attempt, PortAnswer, Term
from gluon.shim.terms.takeover import STOOD_BY, Memory, changes, claims, is_replaced, merged, next_number, outdated

from .samples import applied, bound, name, port, sample

S1, S2, S3 = (name("VpnService", number) for number in (1, 2, 3))
ON_1 = keys.binding(port().id, "host-1")
ONE, TWO, NEW = (
    applied(sample("VpnService", 1)),
    applied(sample("VpnService", 2)),
    applied(sample("VpnService", 1, name="n")),
)
MEMORY = Memory(terms=frozenset({"ours", "before"}), number=10, epochs=frozenset({"e"}), book={}, replaced=True)


def knowing(book: dict[ObjectKey, AppliedRecord]) -> Memory:
    return replace(MEMORY, book=book)


def term(number: int, id_: str) -> Term:
    return Term(number=number, id=id_)


@pytest.mark.parametrize("found", [None, term(10, "ours"), term(3, "before")], ids=["empty", "ours", "older"])
def test_where_nobody_has_acted_since_the_memory_is_exact(found: Term | None) -> None:
    """What etcd has beside it was undone already; what it has otherwise is out of date."""
    book = {S1: NEW, S3: applied(sample("VpnService", 3))}
    remembered = {S1: ONE, S2: TWO, ON_1: bound(port())}
    wanted = merged(knowing(remembered), found, book)
    assert wanted == remembered
    assert changes(wanted, book) == {S1: ONE, S2: TWO, ON_1: bound(port()), S3: None}


def test_what_is_written_is_only_what_differs() -> None:
    assert changes({S1: ONE, S2: TWO}, {S1: ONE, S2: TWO}) == {}
    assert changes({}, {}) == {}


class TestAnotherLeaderHasActedSince:
    found = term(4, "of another process")

    def test_what_etcd_has_and_the_memory_has_not_stays(self) -> None:
        assert merged(knowing({}), self.found, {S1: ONE}) == {S1: ONE}

    def test_what_both_have_alike_stays_certain(self) -> None:
        assert merged(knowing({S1: ONE}), self.found, {S1: ONE}) == {S1: ONE}

    def test_what_only_the_memory_has_may_be_there(self) -> None:
        assert merged(knowing({S1: ONE}), self.found, {}) == {S1: replace(ONE, claimed=True)}

    def test_what_the_two_have_otherwise_is_uncertain(self) -> None:
        [(key, record)] = merged(knowing({S1: ONE}), self.found, {S1: NEW}).items()
        assert key == S1
        assert record.attributes == NEW.attributes
        assert record.attempt is not None
        assert record.attempt.attributes == ONE.attributes
        assert not record.attempt.removes

    def test_an_attempt_that_the_memory_knows_is_kept(self) -> None:
        attempt = Attempt(callback="delete_service", attributes=ONE.attributes)
        [record] = merged(knowing({S1: replace(ONE, attempt=attempt)}), self.found, {S1: NEW}).values()
        assert record.attempt == attempt

    @given(
        remembered=st.dictionaries(st.sampled_from([S1, S2, S3]), st.sampled_from([ONE, NEW, TWO])),
        book=st.dictionaries(st.sampled_from([S1, S2, S3]), st.sampled_from([ONE, NEW, TWO])),
    )
    def test_nothing_that_either_has_is_forgotten_or_thought_certain(
        self, remembered: dict[ObjectKey, AppliedRecord], book: dict[ObjectKey, AppliedRecord]
    ) -> None:
        wanted = merged(knowing(remembered), self.found, book)
        assert wanted.keys() == remembered.keys() | book.keys()
        for key, record in wanted.items():
            certain = not record.claimed and record.attempt is None
            assert certain == (key in book and remembered.get(key, book[key]) == book[key])


@pytest.mark.parametrize(
    ("memory", "found", "replaced"),
    [
        (None, None, False),
        (None, term(5, "x"), False),
        (MEMORY, term(10, "ours"), True),
        (replace(MEMORY, replaced=False), None, True),
        (replace(MEMORY, replaced=False), term(9, "before"), True),
        (replace(MEMORY, replaced=False), term(10, "ours"), False),
        (replace(MEMORY, replaced=False), term(11, "another"), False),
    ],
)
def test_an_etcd_is_replaced_if_it_lacks_what_the_process_knows(
    memory: Memory | None, found: Term | None, *, replaced: bool
) -> None:
    assert is_replaced(memory, found) == replaced


@given(
    number=st.one_of(st.none(), st.integers(0, 2**53)),
    found=st.one_of(st.none(), st.integers(0, 2**53)),
    clock=st.integers(0, 2**53),
)
def test_the_number_of_a_term_only_grows(number: int | None, found: int | None, clock: int) -> None:
    memory = None if number is None else replace(MEMORY, number=number)
    before = [each for each in (number, found) if each is not None]
    result = next_number(memory, None if found is None else term(found, "x"), clock)
    assert all(result > each for each in before)
    assert result >= clock
    assert result == clock or result - 1 in [*before, 0]


# -- which epochs are outdated -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "epochs"),
    [
        (None, {"e"}),
        (Term(number=9, id="before", epoch="older"), {"e", "older"}),
        (Term(number=11, id="another", epoch="newer"), {"e"}),
    ],
    ids=["an empty etcd", "a backup of an earlier epoch", "somebody has led since"],
)
def test_a_replaced_etcd_may_show_any_epoch_from_before_its_loss(found: Term | None, epochs: set[str]) -> None:
    assert outdated(MEMORY, found) == epochs


OURS = PortAnswer(controller="ours", host_id="host-1", token="t", vif_type="ovs")
THEIRS = PortAnswer(controller="theirs", host_id="host-2", vif_type="ovs")


@pytest.mark.parametrize("found", [None, Term(number=9, id="before", epoch="older")])
@pytest.mark.parametrize("held", [THEIRS, NOBODY, None])
def test_what_was_ours_is_claimed_again(found: Term | None, held: PortAnswer | None) -> None:
    memory = replace(MEMORY, answers={port().id: OURS})
    answers = {} if held is None else {port().id: held}
    assert claims(memory, found, answers) == {port().id: OURS}
    assert claims(memory, found, {port().id: OURS}) == {}


def test_nothing_is_claimed_again_where_somebody_has_led_since() -> None:
    memory = replace(MEMORY, answers={port().id: OURS})
    assert claims(memory, Term(number=11, id="another", epoch="newer"), {port().id: THEIRS}) == {}


def test_who_stood_by_believes_no_epoch_that_it_finds() -> None:
    assert outdated(STOOD_BY, Term(number=11, id="another", epoch="e")) == {"e"}
    assert outdated(STOOD_BY, None) == frozenset()
    assert merged(STOOD_BY, Term(number=11, id="another", epoch="e"), {S1: ONE}) == {S1: ONE}
