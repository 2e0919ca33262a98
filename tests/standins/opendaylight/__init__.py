"""A stand-in for OpenDaylight with netvirt, for tests: strict, asynchronous, and it can be disturbed.

    with StandIn(dialect="E", flavours=("rfc8040",)) as odl:
        ...  # drive it at odl.url, as admin with password admin
        odl.settle()
        assert odl.config() == ...

What differs between the dialects is in `schema` (the models) and in `releases` (statuses, flavours);
what netvirt makes of things, and silently does not, in `netvirt`.
"""

from .faults import Fault
from .releases import DIALECTS, DRAFT02, RFC8040
from .server import Exchange, StandIn

__all__ = ["DIALECTS", "DRAFT02", "RFC8040", "Exchange", "Fault", "StandIn"]
