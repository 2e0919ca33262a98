"""The Python SDK and `protonclient`: what a user runs against a proton-server.

    with Client("http://127.0.0.1:2705", api="net-l3vpn") as client:
        port = client.create("port", {"tenant_id": tenant, "mac_address": "c8:2a:14:04:43:80"})

Belongs here: HTTP towards the server, the SDK, the command line generated from the schema that
the server serves.  Does not belong here: checks of attribute values (the server's, so that there
is one truth), and anything that only a server needs.  Importing this package must stay quick.
"""

from gluon.client.client import Client
from gluon.client.errors import (
    ClientError,
    Conflict,
    NoAnswer,
    NotFound,
    RequestRefused,
    ServerFailed,
    ServerUnreachable,
    UnexpectedAnswer,
    UsageError,
)

__all__ = [
    "Client",
    "ClientError",
    "Conflict",
    "NoAnswer",
    "NotFound",
    "RequestRefused",
    "ServerFailed",
    "ServerUnreachable",
    "UnexpectedAnswer",
    "UsageError",
]
