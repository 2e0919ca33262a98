"""The Python SDK: the API of a proton-server as calls, blocking or awaited.

    with Client("http://127.0.0.1:2705", api="net-l3vpn") as client:
        port = client.create("port", {"tenant_id": tenant, "mac_address": "c8:2a:14:04:43:80"})

    async with AsyncClient("http://127.0.0.1:2705", api="net-l3vpn") as client:
        port = await client.create("port", {"tenant_id": tenant, "mac_address": "c8:2a:14:04:43:80"})

Both make the same requests (`operations`) and read answers the same way (`server`); they differ
only in how a request travels.

Belongs here: HTTP towards the server.  Does not belong here: a command line (`gluon.cli`), checks
of attribute values (the server makes them, so that there is one truth), and anything that only a
server needs.  Importing this package must stay quick.
"""

from gluon.sdk.async_client import AsyncClient
from gluon.sdk.client import Client
from gluon.sdk.errors import (
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
from gluon.sdk.operations import DEFAULT_TIMEOUT, DEFAULT_URL, Attributes

__all__ = [
    "DEFAULT_TIMEOUT",
    "DEFAULT_URL",
    "AsyncClient",
    "Attributes",
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
