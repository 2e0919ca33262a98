"""The database: tables made from the schema, objects, and the outbox.

Belongs here: every use of SQLAlchemy, and the translation of its errors.
Does not belong here: what a change means (`gluon.proton.service`), HTTP, etcd.
"""

from gluon.proton.storage.database import Database, open_database
from gluon.proton.storage.errors import (
    ChangedMeanwhile,
    ConstraintViolated,
    DatabaseUnavailable,
    DatabaseUnusable,
    Duplicate,
    InUse,
    ReferenceMissing,
    StorageError,
)
from gluon.proton.storage.outbox import OutboxRow, Pending
from gluon.proton.storage.stored import Stored
from gluon.proton.storage.transaction import Transaction
from gluon.proton.storage.violations import explain_delete, explain_insert, explain_update

__all__ = [
    "ChangedMeanwhile",
    "ConstraintViolated",
    "Database",
    "DatabaseUnavailable",
    "DatabaseUnusable",
    "Duplicate",
    "InUse",
    "OutboxRow",
    "Pending",
    "ReferenceMissing",
    "StorageError",
    "Stored",
    "Transaction",
    "explain_delete",
    "explain_insert",
    "explain_update",
    "open_database",
]
