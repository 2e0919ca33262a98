"""Between the types of this package and etcd's messages.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gluon.etcd import types
from gluon.etcd.proto import etcd_pb2 as pb


def key_value(message: pb.KeyValue) -> types.KeyValue:
    """Reads one key."""
    return types.KeyValue(
        message.key,
        message.value,
        message.create_revision,
        message.mod_revision,
        message.version,
        message.lease,
    )


def first(message: pb.RangeResponse) -> types.KeyValue | None:
    """Reads the only key of a read; None when it does not exist."""
    return key_value(message.kvs[0]) if message.kvs else None


def event(message: pb.Event) -> types.Event:
    """Reads one change from a watch."""
    kv = message.kv
    value = None if message.type == pb.Event.DELETE else kv.value
    return types.Event(kv.key, value, kv.mod_revision)


def txn(compare: Sequence[types.Compare], success: Sequence[types.Op], failure: Sequence[types.Op]) -> pb.TxnRequest:
    """Writes a transaction."""
    return pb.TxnRequest(
        compare=[_compare(c) for c in compare],
        success=[_operation(op) for op in success],
        failure=[_operation(op) for op in failure],
    )


def txn_result(message: pb.TxnResponse) -> types.TxnResult:
    """Reads what a transaction did."""
    return _txn_result(message, message.header.revision)


def changed(message: Any) -> bool:
    """Whether an answer of etcd's key-value service tells of a change, which made a new revision."""
    match message:
        case pb.PutResponse():
            return True
        case pb.DeleteRangeResponse():
            return message.deleted > 0
        case pb.TxnResponse():
            return any(changed(getattr(each, each.WhichOneof("response") or "")) for each in message.responses)
        case _:
            return False


def written(operations: Sequence[types.Op], responses: Sequence[types.Response]) -> bytes | None:
    """A key that a transaction wrote; None when it wrote none."""
    for operation, response in zip(operations, responses, strict=True):
        match operation, response:
            case types.Put(key), types.PutResult():
                return key
            case types.Txn(_, success, failure), types.TxnResult(succeeded, _, inner):
                if nested := written(success if succeeded else failure, inner):
                    return nested
            case _:
                continue
    return None


def status(message: pb.StatusResponse) -> types.Status:
    """Reads a server's status."""
    return types.Status(
        version=message.version,
        revision=message.header.revision,
        cluster_id=message.header.cluster_id,
        member_id=message.header.member_id,
        leader=message.leader,
        database_size=message.dbSize,
        errors=tuple(message.errors),
    )


def prefix_range(prefix: bytes) -> tuple[bytes, bytes]:
    """`key` and `range_end` of all keys that begin with `prefix`."""
    return prefix or b"\0", types.prefix_end(prefix)


def _compare(compare: types.Compare) -> pb.Compare:
    result = pb.Compare.GREATER if compare.greater else pb.Compare.EQUAL
    message = pb.Compare(key=compare.key, result=result)
    if compare.target == "value":
        message.target = pb.Compare.VALUE
        message.value = bytes(compare.operand)
    elif compare.target == "create_revision":
        message.target = pb.Compare.CREATE
        message.create_revision = int(compare.operand)
    else:
        message.target = pb.Compare.MOD
        message.mod_revision = int(compare.operand)
    return message


def _operation(operation: types.Op) -> pb.RequestOp:
    match operation:
        case types.Put(key, value, lease):
            return pb.RequestOp(request_put=pb.PutRequest(key=key, value=value, lease=lease))
        case types.Delete(key):
            return pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=key))
        case types.DeletePrefix(prefix):
            key, end = prefix_range(prefix)
            return pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=key, range_end=end))
        case types.Get(key):
            return pb.RequestOp(request_range=pb.RangeRequest(key=key))
        case types.Txn(compare, success, failure):
            return pb.RequestOp(request_txn=txn(compare, success, failure))


def _txn_result(message: pb.TxnResponse, revision: int) -> types.TxnResult:
    """`revision` is the outermost transaction's; the headers of those within are empty."""
    responses = tuple(_response(response, revision) for response in message.responses)
    return types.TxnResult(message.succeeded, revision, responses)


def _response(message: pb.ResponseOp, revision: int) -> types.Response:
    match message.WhichOneof("response"):
        case "response_put":
            return types.PutResult(revision)
        case "response_delete_range":
            return types.DeleteResult(message.response_delete_range.deleted, revision)
        case "response_range":
            return types.GetResult(first(message.response_range), revision)
        case _:
            return _txn_result(message.response_txn, revision)
