"""When an answer can't come from the etcd known so far."""

from __future__ import annotations

import pytest

from gluon.etcd import ClusterReplaced
from gluon.etcd.history import History


def seen(*revisions: int) -> History:
    history = History()
    for revision in revisions:
        history.answered(7, revision, sent_at=history.revision, changed=False, host="e")
    return history


def test_answers_that_overtake_each_other_are_no_sign() -> None:
    history = seen(5)
    history.answered(7, 9, sent_at=5, changed=False, host="e")
    history.answered(7, 6, sent_at=5, changed=False, host="e")
    assert (history.revision, history.ended) == (9, False)


def test_an_older_answer_than_what_was_seen_when_the_call_was_sent_ends_it() -> None:
    history = seen(5, 9)
    with pytest.raises(ClusterReplaced, match="etcd e was at revision 8, but revision 9 was already seen"):
        history.answered(7, 8, sent_at=9, changed=False, host="e")
    for revision in (9, 10):
        with pytest.raises(ClusterReplaced, match="revision 8"):
            history.answered(7, revision, sent_at=9, changed=False, host="e")
    with pytest.raises(ClusterReplaced, match="revision 8"):
        history.check()
    assert history.revision == 9


def test_a_change_has_to_be_newer_than_all_that_was_seen() -> None:
    history = seen(5)
    history.answered(7, 6, sent_at=5, changed=True, host="e")
    with pytest.raises(ClusterReplaced, match="was at revision 5, but revision 6"):
        history.answered(7, 6, sent_at=6, changed=True, host="e")


def test_another_cluster_ends_it_whatever_its_revision() -> None:
    answer, watch = seen(5), seen(5)
    with pytest.raises(ClusterReplaced, match="etcd e: cluster b answers, expected 7"):
        answer.answered(11, 99, sent_at=5, changed=False, host="e")
    with pytest.raises(ClusterReplaced, match="etcd e: cluster b answers, expected 7"):
        watch.saw(11, 99, "e")
    assert answer.revision == watch.revision == 5


def test_a_watch_lags_behind_or_runs_ahead_without_harm() -> None:
    history = seen(5)
    history.saw(7, 3, "e")
    history.saw(7, 8, "e")
    assert history.revision == 8
    with pytest.raises(ClusterReplaced):
        history.answered(7, 7, sent_at=history.revision, changed=False, host="e")


def test_the_first_reason_stays() -> None:
    history = seen(5)
    history.end("first")
    history.end("second")
    with pytest.raises(ClusterReplaced, match=r"^first$"):
        history.check()
