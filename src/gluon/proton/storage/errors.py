"""The errors of the database.

StorageError
├── DatabaseUnusable        at start: wrong URL, a table that doesn't fit the model; an operator must act
├── DatabaseUnavailable     it can't be reached or written now: try again
│   └── ChangesRefused      the deployment is unsafe: changes wait for an operator; reads go on
├── Duplicate               the key is taken
├── ReferenceMissing        an attribute names an object that doesn't exist
├── InUse                   another object names this one
└── ChangedMeanwhile        the cause of a refused change is gone again: try again
"""

from __future__ import annotations


class StorageError(Exception):
    """Base of all errors of this package."""


class DatabaseUnusable(StorageError):
    """The server can't start on this database; the message says what to do."""


class DatabaseUnavailable(StorageError):
    """The database can't be reached, or can't carry out a statement now; nothing was changed.

    The message is fit for clients: it names no file.  `Database` itself logs when such trouble
    begins and when it ends, so whoever catches this need not log it.
    """


class ChangesRefused(DatabaseUnavailable):
    """Changes are refused until an operator has acted; the message says why and what to do."""


class Duplicate(StorageError):
    """An object with this key exists."""

    def __init__(self, object_name: str, key: str) -> None:
        super().__init__(f"{object_name} {key} exists already; update it, or choose another key")
        self.object_name = object_name
        self.key = key


class ReferenceMissing(StorageError):
    """An attribute names an object that doesn't exist."""

    def __init__(self, attribute: str, object_name: str, key: str) -> None:
        super().__init__(f"{attribute} names {object_name} {key}, which does not exist; create it first")
        self.attribute = attribute
        self.object_name = object_name
        self.key = key


class InUse(StorageError):
    """Another object names this one, so it can't be deleted."""

    def __init__(self, target: str, object_name: str, key: str, attribute: str) -> None:
        super().__init__(f"{target} is in use by {object_name} {key} ({attribute}); delete or change that first")
        self.object_name = object_name
        self.key = key
        self.attribute = attribute


class ChangedMeanwhile(StorageError):
    """Another request changed the objects concerned at the same moment."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} was refused because of another change at the same moment; try again")
