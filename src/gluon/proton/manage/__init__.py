"""gluon-manage: decisions that an operator takes by hand, about a database, an etcd and their controllers.

Belongs here: the commands, each in a module of its own, and how they speak to a person.
Does not belong here: anything that a server does by itself.
"""

from gluon.proton.manage.command_line import main

__all__ = ["main"]
