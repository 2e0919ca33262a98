"""What the programs say to each other, through etcd and over HTTP.

Three conversations:

* proton-server tells every shim what is wanted: one key an object below `/proton/`, its
  value the object's attributes (`keys.ObjectKey`, `records.encode_attributes`).
* A shim answers below `/controller/`: for a port, how it is bound (`records.Answer`); for any
  object that it fails to apply, why.  It keeps its own notes below `/shim/<controller>/`
  (`records.AppliedRecord`), so that it can be killed at any point.
* proton-server speaks HTTP to clients: paths, the served schema, the error body (`rest`).

Belongs here: keys, values and their encoders.  Does not belong here: who writes when, and any
I/O.  Pure.  A change of a value's meaning raises `VERSION`.
"""

VERSION = 1
"""Version of the records in etcd.  Added members don't raise it; readers ignore what they
don't know."""
