"""A call that ended after its term: the note that it leaves, and what the next leader makes of it."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import AppliedRecord, Attempt, MalformedRecord, decode, encode
from gluon.etcd import Unavailable
from gluon.shim.plan import Call, Callback, next_steps
from gluon.shim.plan.outcome import Writes
from gluon.shim.state import Object, State
from gluon.shim.terms import late

from . import virtual_time
from .bench import Bench
from .samples import L3VPN, OURS, applied, bound, name, port, sample

P, VPN = port().id, sample("VpnService", 1)
S = VPN.id
ON_1 = keys.binding(P, "host-1")
OLD = sample("VpnService", 1, name="old")
BIND = Call(Callback.BIND_PORT, port(), record=ON_1)


def note(callback: str, obj: Object) -> bytes:
    return encode(Attempt(callback=callback, attributes=dict(obj.attributes)))


def after(
    made: str, obj: Object, key: ObjectKey, records: dict[ObjectKey, AppliedRecord], *wanted: Object
) -> list[str]:
    """The calls that follow when a call of an earlier term has ended late."""
    state = State(L3VPN)
    for each, record in records.items():
        state.record(each, record)
    for each in wanted:
        state.desire(each)
    writes = late.doubt(note(made, obj), key, state)
    assert writes.late == key
    assert writes.answer is None
    for each, record in writes.records.items():
        state.record(each, record)
    subject = writes.subject
    made_again: list[str] = []
    while calls := [step for step in next_steps(subject, state, OURS) if isinstance(step, Call)]:
        made_again.append(str(calls[0].callback))
        state.record(calls[0].key, None if calls[0].callback.removes else _done(calls[0]))
        if calls[0].callback is Callback.BIND_PORT:
            state.record(subject, applied(calls[0].object))
    return made_again


def _done(call: Call) -> AppliedRecord:
    return bound(call.object, token=call.token) if call.callback is Callback.BIND_PORT else applied(call.object)


@pytest.mark.parametrize(
    ("made", "records", "wanted", "expected"),
    [
        ("modify_service", {}, [], ["delete_service"]),
        ("modify_service", {}, [VPN], ["modify_service"]),
        ("modify_service", {S: applied(VPN)}, [VPN], ["modify_service"]),
        ("modify_service", {S: applied(VPN)}, [], ["delete_service"]),
        ("delete_service", {}, [], ["delete_service"]),
        ("delete_service", {}, [VPN], ["modify_service"]),
        ("delete_service", {S: applied(VPN)}, [VPN], ["modify_service"]),
        ("delete_service", {S: applied(VPN, claimed=True)}, [VPN], ["modify_service"]),
    ],
)
def test_an_object_is_made_sure_of(
    made: str, records: dict[ObjectKey, AppliedRecord], wanted: list[Object], expected: list[str]
) -> None:
    assert after(made, OLD, S, records, *wanted) == expected


BOUND = {P: applied(port()), ON_1: bound(port())}


@pytest.mark.parametrize(
    ("made", "records", "wanted", "expected"),
    [
        ("bind_port", {}, [], ["unbind_port", "delete_port"]),
        ("bind_port", {}, [port(host="foreign")], ["unbind_port", "delete_port"]),
        ("bind_port", {P: applied(port(host=None))}, [port(host=None)], ["unbind_port"]),
        ("bind_port", {}, [port()], ["bind_port"]),
        ("bind_port", BOUND, [port()], ["bind_port"]),
        ("unbind_port", BOUND, [port()], ["bind_port"]),
        ("unbind_port", {}, [port(host=None)], ["unbind_port", "modify_port"]),
    ],
)
def test_a_binding_is_made_sure_of_and_the_port_that_it_brought_along(
    made: str, records: dict[ObjectKey, AppliedRecord], wanted: list[Object], expected: list[str]
) -> None:
    assert after(made, port(), ON_1, records, *wanted) == expected


def test_what_a_late_call_names_is_not_deleted_under_it() -> None:
    binding = sample("VpnBinding", 1, service_id=S.key)
    state = State(L3VPN)
    state.record(S, applied(VPN))
    for key, record in late.doubt(note("modify_service_binding", binding), binding.id, state).records.items():
        state.record(key, record)
    assert [str(step) for step in next_steps(S, state, OURS)] == [f"waits for {binding.id} to be deleted"]


def test_after_a_late_delete_whatever_needs_the_object_waits_for_it() -> None:
    state = State(L3VPN)
    state.record(S, applied(VPN))
    writes = late.doubt(note("delete_service", VPN), S, state)
    assert writes == Writes(
        subject=S,
        late=S,
        records={
            S: applied(VPN, claimed=True, attempt=Attempt(callback="modify_object", attributes=dict(VPN.attributes)))
        },
    )


def test_a_late_call_does_not_hide_what_the_leader_itself_has_under_way() -> None:
    attempt = Attempt(callback="modify_service", attributes=dict(sample("VpnService", 1, name="new").attributes))
    state = State(L3VPN)
    state.record(S, applied(VPN, attempt=attempt, references={"a": "b"}))
    [record] = late.doubt(note("modify_service", OLD), S, state).records.values()
    assert record == applied(VPN, attempt=attempt, references={"a": "b"})


def test_a_note_that_can_not_be_read_is_told() -> None:
    with pytest.raises(MalformedRecord):
        late.doubt(b"{", S, State(L3VPN))


def test_the_leader_takes_a_note_into_account_and_deletes_it() -> None:
    async def check() -> None:
        bench = Bench()
        bench.has_applied(VPN)
        async with bench.running():
            bench.reconciler.write_in_turn(S, lambda: late.doubt(note("delete_service", VPN), S, bench.state))
            await asyncio.sleep(1)
            assert bench.vendor.made == [f"modify_service {S.key}"]
            assert bench.written[0].late == S
            assert not bench.records[S].claimed

    virtual_time.run(check())


# -- leaving a note ------------------------------------------------------------------------------------------


class Client:
    """Takes notes, after some outages."""

    def __init__(self, outages: int = 0) -> None:
        self.outages = outages
        self.notes: dict[bytes, Attempt] = {}

    async def put(self, key: bytes, value: bytes) -> None:
        if self.outages:
            self.outages -= 1
            raise Unavailable("down")
        self.notes[key] = decode(Attempt, value)

    def forget_history(self) -> None:
        pass


class Threads:
    """Calls that return one after the other."""

    def __init__(self, looks: int = 0) -> None:
        self.looks = looks

    def returned(self, _: ObjectKey) -> bool:
        self.looks -= 1
        return self.looks < 0


NOTE = Attempt(callback="bind_port", attributes=dict(port().attributes))


@pytest.mark.parametrize(("outages", "looks"), [(0, 0), (5, 0), (0, 100), (3, 50)])
def test_a_note_is_left_once_the_call_has_returned_and_etcd_takes_it(outages: int, looks: int) -> None:
    client, threads = Client(outages), Threads(looks)
    virtual_time.run(late.leave_notes(client, "ours", [(BIND, threads)]))  # type: ignore[arg-type,list-item]
    assert client.notes == {keys.late("ours", ON_1): NOTE}
    assert threads.looks < 0


def test_one_call_that_never_returns_is_given_up_and_said(caplog: pytest.LogCaptureFixture) -> None:
    client = Client()
    hanging, other = Threads(10**9), replace(BIND, object=port(2), record=keys.binding(name("Port", 2), "host-1"))
    calls = [(BIND, hanging), (other, Threads())]
    virtual_time.run(late.leave_notes(client, "ours", calls))  # type: ignore[arg-type]
    assert list(client.notes) == [keys.late("ours", other.key)]
    assert f"{BIND} ended late, and no note of it could be left; audit its controller" in caplog.text
