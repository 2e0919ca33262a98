"""Gluon: a model-driven network control plane.

Each folder here is something that runs (`proton`, `shim`, `client`) or something
that the running programs share (`models`, `schema`, `contract`, `etcd`, `process`,
`testing`).  `docs/architecture.md` draws the map.
"""
