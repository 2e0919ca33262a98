"""What each server process does around its work: etcd's options, logging, signals, health.

Belongs here: what `proton-server` and `proton-shim-server` would otherwise each write.
Does not belong here: anything that knows of objects, ports or backends.
"""
