"""The frame of every program: configuration, etcd's options, logging, signals, exit codes, health.

Belongs here: code that proton-server, proton-shim-server and gluon-manage would otherwise each have.
Does not belong here: anything that knows of objects, ports or backends.
"""
