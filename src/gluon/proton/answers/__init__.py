"""From etcd to the database: what controllers answer, and what they say of objects.

Belongs here: following their keys, which of them are alive, and what an absent answer means after a
start or a loss.
Does not belong here: what an answer changes (`gluon.proton.service`), what is published
(`gluon.proton.publish`).
"""

from gluon.proton.answers.answers import Answers, Etcd

__all__ = ["Answers", "Etcd"]
