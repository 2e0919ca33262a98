"""The use cases: create, show, list, update, delete and bind, each with its transaction.

Belongs here: the meaning of a change and the changes that go together; the meaning of a
controller's answer.
Does not belong here: HTTP (`gluon.proton.api`), etcd (`gluon.proton.publish`,
`gluon.proton.answers`), SQL (`gluon.proton.storage`).
"""

from gluon.proton.service.answers import apply_answer, apply_status, checked_answer, drop_answer
from gluon.proton.service.bind_waiters import BindWaiters
from gluon.proton.service.bindings import PortBinding, PortBindings
from gluon.proton.service.binds import Binds
from gluon.proton.service.changes import Condition, Parent, Target
from gluon.proton.service.conformity import Conformity
from gluon.proton.service.control_plane import ControlPlane
from gluon.proton.service.errors import Conflict, NotFound, PreconditionFailed, ServiceError, Taken
from gluon.proton.service.filters import Filters, parse_filters
from gluon.proton.service.model_check import check_models, model_faults
from gluon.proton.service.objects import Objects
from gluon.proton.service.refresh import refresh, set_status
from gluon.proton.service.release import possible_calls
from gluon.proton.storage import (
    ChangedMeanwhile,
    ChangesRefused,
    DatabaseUnavailable,
    Duplicate,
    InUse,
    ReferenceMissing,
    Stored,
)

__all__ = [
    "BindWaiters",
    "Binds",
    "ChangedMeanwhile",
    "ChangesRefused",
    "Condition",
    "Conflict",
    "Conformity",
    "ControlPlane",
    "DatabaseUnavailable",
    "Duplicate",
    "Filters",
    "InUse",
    "NotFound",
    "Objects",
    "Parent",
    "PortBinding",
    "PortBindings",
    "PreconditionFailed",
    "ReferenceMissing",
    "ServiceError",
    "Stored",
    "Taken",
    "Target",
    "apply_answer",
    "apply_status",
    "check_models",
    "checked_answer",
    "drop_answer",
    "model_faults",
    "parse_filters",
    "possible_calls",
    "refresh",
    "set_status",
]
