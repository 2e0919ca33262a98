"""From the database to etcd: every committed change, and once in a while everything.

Belongs here: the outbox publisher with its session, whether database and etcd belong together, and
filling etcd.
Does not belong here: what controllers answer (`gluon.proton.answers`), HTTP, commands.
"""

from gluon.proton.publish.contents import Contents, all_keys, read_contents
from gluon.proton.publish.deployment import Action, Verdict, check_deployment, skip_ids
from gluon.proton.publish.filling import Filling
from gluon.proton.publish.item import Item, read_items
from gluon.proton.publish.publisher import Publisher
from gluon.proton.publish.standing import Standing

__all__ = [
    "Action",
    "Contents",
    "Filling",
    "Item",
    "Publisher",
    "Standing",
    "Verdict",
    "all_keys",
    "check_deployment",
    "read_contents",
    "read_items",
    "skip_ids",
]
