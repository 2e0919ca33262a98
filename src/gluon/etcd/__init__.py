"""etcd, version 3: keys, transactions, leases, elections, and the mirror of a range of keys.

Belongs here: everything that speaks to etcd, and only that; no other package imports grpc.
Does not belong here: what the keys and values mean (`gluon.contract`).

`Client` reads and writes, and notices when another etcd answers.  `Mirror` follows a prefix, through
every kind of outage, and hands each change out once.  `Election` picks one of several candidates;
`FencedWriter` makes writes that only the one elected may make.
"""

from gluon.etcd.client import Client
from gluon.etcd.election import Election, Leadership
from gluon.etcd.endpoints import Endpoints
from gluon.etcd.errors import (
    OUTAGES,
    WAIT_FOR_OPERATOR,
    AuthenticationFailed,
    ClusterReplaced,
    Compacted,
    EtcdError,
    FenceBroken,
    InvalidRequest,
    LeaseLost,
    OutOfSpace,
    PermissionDenied,
    TimedOut,
    Unavailable,
    WriteRefused,
)
from gluon.etcd.fenced import FencedWriter
from gluon.etcd.lease import Lease
from gluon.etcd.mirror import Batch, Mirror
from gluon.etcd.types import (
    MAX_TXN_OPERATIONS,
    Compare,
    Delete,
    DeletePrefix,
    DeleteResult,
    Event,
    Get,
    GetResult,
    KeyValue,
    Op,
    Page,
    Put,
    PutResult,
    Response,
    Status,
    Txn,
    TxnResult,
)
from gluon.etcd.watch import Liveness

__all__ = [
    "MAX_TXN_OPERATIONS",
    "OUTAGES",
    "WAIT_FOR_OPERATOR",
    "AuthenticationFailed",
    "Batch",
    "Client",
    "ClusterReplaced",
    "Compacted",
    "Compare",
    "Delete",
    "DeletePrefix",
    "DeleteResult",
    "Election",
    "Endpoints",
    "EtcdError",
    "Event",
    "FenceBroken",
    "FencedWriter",
    "Get",
    "GetResult",
    "InvalidRequest",
    "KeyValue",
    "Leadership",
    "Lease",
    "LeaseLost",
    "Liveness",
    "Mirror",
    "Op",
    "OutOfSpace",
    "Page",
    "PermissionDenied",
    "Put",
    "PutResult",
    "Response",
    "Status",
    "TimedOut",
    "Txn",
    "TxnResult",
    "Unavailable",
    "WriteRefused",
]
