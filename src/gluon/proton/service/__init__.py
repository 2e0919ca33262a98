"""The use cases: create, show, list, update, delete and bind, each with its transaction.

Belongs here: what a change means and which changes go together; what an answer of a controller
changes.
Does not belong here: HTTP (`gluon.proton.api`), etcd (`gluon.proton.publish`), SQL
(`gluon.proton.storage`).
"""

from gluon.proton.service.answer_check import checked_answer
from gluon.proton.service.bind_waiters import BindWaiters
from gluon.proton.service.changes import Parent, Target
from gluon.proton.service.errors import Conflict, NotFound, ServiceError
from gluon.proton.service.filters import parse_filters
from gluon.proton.service.model_check import check_models
from gluon.proton.service.objects import Objects, PublisherPort

__all__ = [
    "BindWaiters",
    "Conflict",
    "NotFound",
    "Objects",
    "Parent",
    "PublisherPort",
    "ServiceError",
    "Target",
    "check_models",
    "checked_answer",
    "parse_filters",
]
