"""Between the database and etcd: changes go out, controllers' answers come in.

Belongs here: the outbox publisher, its session in etcd, the answers of controllers, and resync.
Does not belong here: what an answer means (`gluon.proton.service.binding`), HTTP.
"""

from gluon.proton.publish.answers import Answers
from gluon.proton.publish.publisher import Publisher
from gluon.proton.publish.release import release_claim
from gluon.proton.publish.resync import Resync, request_resync

__all__ = ["Answers", "Publisher", "Resync", "release_claim", "request_resync"]
