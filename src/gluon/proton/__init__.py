"""proton-server: the REST API of all protons, kept in a database and published to etcd.

Belongs here: what that one program does, in four layers (`api` | `publish` -> `service` ->
`storage`) and the two programs that put them together (`app`, `manage`).
Does not belong here: what a shim must know as well; that is `gluon.contract`.
"""
