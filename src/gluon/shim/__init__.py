"""proton-shim-server: turns what etcd wants into calls on a backend, and answers.

Follow one object through the folders: `app` starts leading, `terms` feed what they follow in etcd into
`state`, `reconcile` asks `plan` what to do next, has `calls` make it at the `backend`, and records it.

Belongs here: everything that runs in the shim.  Does not belong here: anything that
proton-server needs, and anything that knows one particular controller (that is a backend).
"""
