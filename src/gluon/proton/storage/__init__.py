"""The database: tables made from the schema, objects, bindings, statuses, and the outbox.

Belongs here: every use of SQLAlchemy, and the translation of its errors.
Does not belong here: the meaning of a change (`gluon.proton.service`), HTTP, etcd.
"""

from gluon.proton.storage.bindings import Bindings
from gluon.proton.storage.changes import Changes
from gluon.proton.storage.database import Database, open_database
from gluon.proton.storage.errors import (
    ChangedMeanwhile,
    ChangesRefused,
    DatabaseUnavailable,
    DatabaseUnusable,
    Duplicate,
    InUse,
    ReferenceMissing,
    StorageError,
)
from gluon.proton.storage.outbox import Pending
from gluon.proton.storage.stored import (
    ANSWER,
    PUBLISHER,
    SERVER_SOURCES,
    BindingState,
    Deployment,
    Stored,
    StoredBinding,
    StoredRelease,
    StoredStatus,
)
from gluon.proton.storage.transaction import Transaction

__all__ = [
    "ANSWER",
    "PUBLISHER",
    "SERVER_SOURCES",
    "BindingState",
    "Bindings",
    "ChangedMeanwhile",
    "Changes",
    "ChangesRefused",
    "Database",
    "DatabaseUnavailable",
    "DatabaseUnusable",
    "Deployment",
    "Duplicate",
    "InUse",
    "Pending",
    "ReferenceMissing",
    "StorageError",
    "Stored",
    "StoredBinding",
    "StoredRelease",
    "StoredStatus",
    "Transaction",
    "open_database",
]
