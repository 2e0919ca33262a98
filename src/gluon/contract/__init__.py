"""The messages between the programs, through etcd and over HTTP.

Three conversations:

* proton-server publishes the desired state to all shims: one key for each object below `/proton/`,
  whose value has the object's attributes (`keys.ObjectKey`, `records.encode_attributes`, `records.encode_port`).
* Shims answer: below `/controller/` they say who has a port and how it is bound
  (`records.PortAnswer`), below `/status/` how an object fares (`records.Status`).  A shim keeps its own
  books below `/shim/<controller>/` (`records.AppliedRecord`), so that it can be killed at any point.
* proton-server speaks HTTP to clients: paths, the served schema, the error body (`rest`).

Belongs here: keys, values and their encoders.  Does not belong here: who writes when, and any
I/O.  Pure.  A change of a value's meaning raises `VERSION`.
"""

VERSION = 2
"""Version of the records in etcd.  Added members don't raise it; readers ignore what they
don't know.  `gluon.contract.version1` reads the records of version 1."""
