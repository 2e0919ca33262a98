"""For tests, Gluon's own and those of backends: real servers on free loopback ports.

Belongs here: what starts, stops and disturbs such servers, and the pytest fixtures that do.  Does
not belong here: anything that a server needs to run.
"""
