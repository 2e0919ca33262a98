"""The generated messages of etcd's v3 API, and the .proto that they come from.

Belongs here: `etcd.proto` and what protoc makes of it, unedited.  Only `gluon.etcd` imports it.
"""
