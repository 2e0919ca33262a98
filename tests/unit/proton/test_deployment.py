"""Which of database and etcd is older, by all that each can say."""

from __future__ import annotations

import pytest

from gluon.contract.records import Epoch, MalformedRecord
from gluon.proton.publish.deployment import (
    Action,
    DatabaseSide,
    EtcdSide,
    judge,
)
from gluon.proton.publish.serial import decode_serial, encode_serial
from gluon.proton.storage import Deployment


def etcd(*, database: str = "D", epoch: str = "e2", complete: bool = True, serial: int = 100, **members) -> EtcdSide:
    found = Epoch(database=database, id=epoch, complete=complete) if epoch else None
    has_objects = members.pop("has_objects", False)
    return EtcdSide(epoch=found, epoch_revision=7, serial=serial, has_objects=has_objects, **members)


def ours(*, epoch: str = "e2", serial: int = 100, highest: int = 100, pending: tuple[int, ...] = (), seen: int = 100,
         after: str = "", legacy: bool = False) -> DatabaseSide:  # fmt: skip
    """`seen`: etcd's serial, of which the database says whether it knows it."""
    return DatabaseSide(
        deployment=Deployment(id="D", epoch=epoch, serial=serial, legacy=legacy),
        epoch=after or epoch,
        highest=highest,
        has_serial=seen <= serial or seen in pending,
    )


def test_in_step():
    assert judge(etcd(), ours()).action is Action.PUBLISH


def test_in_step_while_rows_are_published_and_not_settled_yet():
    assert judge(etcd(serial=103), ours(highest=110, pending=(101, 103, 110), seen=103)).action is Action.PUBLISH


def test_the_first_start():
    verdict = judge(etcd(epoch="", serial=0), ours(epoch="", serial=0, highest=0, seen=0))
    assert (verdict.action, verdict.loss) == (Action.FILL, False)


def test_an_etcd_that_was_wiped_is_filled():
    verdict = judge(etcd(epoch="", serial=0), ours(seen=0))
    assert (verdict.action, verdict.loss) == (Action.FILL, True)


@pytest.mark.parametrize("older", [etcd(serial=99), etcd(epoch="e1", serial=60), etcd(epoch="e1", serial=100)])
def test_an_etcd_that_came_back_older_is_filled(older):
    verdict = judge(older, ours(highest=120, seen=older.serial))
    assert (verdict.action, verdict.loss) == (Action.FILL, True)
    assert "older" in verdict.sentence


def test_an_epoch_that_another_server_begins_at_this_moment_is_no_loss():
    assert judge(etcd(epoch="e3", serial=100), ours(after="e3")).action is Action.PUBLISH


@pytest.mark.parametrize(
    "database",
    [
        ours(highest=90, serial=90),
        ours(highest=99, serial=90, pending=(95,)),
        # It went on after it was restored: its ids are beyond etcd's, and other ones.
        ours(highest=5000, serial=90, pending=(4000, 5000)),
    ],
)
def test_a_database_that_came_back_older_is_refused(database):
    verdict = judge(etcd(), database)
    assert verdict.action is Action.REFUSE
    assert "older than etcd" in verdict.sentence
    assert "gluon-manage resync" in verdict.sentence


def test_a_backup_that_knows_the_serial_as_pending_is_as_good():
    """It was made between the write and its settling."""
    assert judge(etcd(), ours(highest=100, serial=90, pending=(100,))).action is Action.PUBLISH


@pytest.mark.parametrize("serial", [1, 100, 10**6])
def test_another_database_is_refused_whatever_the_numbers_say(serial):
    verdict = judge(etcd(database="X", serial=serial), ours(seen=serial))
    assert verdict.action is Action.REFUSE
    assert "database X" in verdict.sentence
    assert "database D" in verdict.sentence


def test_objects_without_an_epoch():
    found = etcd(epoch="", serial=0, has_objects=True)
    assert judge(found, ours(epoch="", serial=0, seen=0, legacy=True)).action is Action.FILL
    assert judge(found, ours(epoch="", serial=0, seen=0)).action is Action.REFUSE
    assert judge(found, ours(seen=0)).action is Action.REFUSE


@pytest.mark.parametrize(("busy", "action"), [(True, Action.WAIT), (False, Action.FILL)])
def test_a_filling_that_is_not_complete(busy, action):
    verdict = judge(etcd(complete=False, filled_by_other=busy), ours())
    assert verdict.action is action
    assert verdict.adopt is not busy


def test_marks_that_can_not_be_read_are_refused():
    verdict = judge(etcd(malformed="/gluon/epoch can't be read"), ours())
    assert verdict.action is Action.REFUSE
    assert "/gluon/epoch" in verdict.sentence


@pytest.mark.parametrize("serial", [0, 7, 2**62])
def test_a_serial_is_what_was_written(serial):
    assert decode_serial(encode_serial(serial)) == serial
    assert len(encode_serial(serial)) == 20


@pytest.mark.parametrize("value", [b"", b"7", b"x" * 20, b"-0000000000000000001", b"0" * 21, b"9" * 20])
def test_a_serial_that_is_none(value):
    with pytest.raises(MalformedRecord):
        decode_serial(value)


def test_serials_sort_as_numbers():
    assert encode_serial(9) < encode_serial(10) < encode_serial(10**19)
