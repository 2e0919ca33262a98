"""The REST API as types: paths, the served schema, the error body.

    GET    /                                                     the versions, as OpenStack's services list them
    GET    /proton/                                              ProtonList
    GET    /proton/<proton>/                                     VersionList
    GET    /proton/<proton>/v1.0/                                ResourceList, the served schema
    POST   /proton/<proton>/v1.0/<plural>                        201, the object
    GET    /proton/<proton>/v1.0/<plural>                        {"<plural>": [objects]}
    GET    /proton/<proton>/v1.0/<plural>/<key>                  the object
    PUT    /proton/<proton>/v1.0/<plural>/<key>                  the object
    DELETE /proton/<proton>/v1.0/<plural>/<key>                  204
           .../<parent plural>/<parent key>/<plural>[/<key>]     the same, below the parent

A port has bindings to hosts, as in Neutron's extension of that name; one of them is active.  Below
`/proton/<proton>/v1.0/<plural of the port>/<key>`:

    POST   .../bindings                                          201, PortBindingBody
    GET    .../bindings                                          PortBindingList
    GET    .../bindings/<host>                                   PortBindingBody
    PUT    .../bindings/<host>/activate                          PortBindingBody
    DELETE .../bindings/<host>                                   204

Whatever fails answers with an `ErrorBody`.  Beside its attributes every object carries
`gluon.schema.META_ATTRIBUTES`, which only the server sets: created_at and updated_at (RFC 3339,
UTC), status_reason: why a controller has not applied the object, null while nothing is wrong; and
revision_number, which grows with each change.

An answer with one object has an ETag.  `If-Match` with that, or with `revision_number=<n>` as in
Neutron, has PUT and DELETE change the object only as long as nobody else has: else 412.
"""

from __future__ import annotations

from urllib.parse import quote

from msgspec import Struct

from gluon.schema.types import Attribute, ObjectType, Proton, Value

ROOT = "/proton/"
REQUEST_ID = "X-Openstack-Request-Id"
"""The header with the request's id, in both directions: `req-` and a uuid."""

BINDINGS = "bindings"
"""The segment below a port where its bindings are served."""
ACTIVATE = "activate"
"""The segment below a binding that makes it the active one."""
BINDING_FILTERS = ("host", "status", "vif_type", "vnic_type")
"""The members of a binding that a list can be filtered by."""

_ONLY_A_PORT_HAS = frozenset({"device_id", "host_id", "vif_details", "vif_type", "vnic_type"})


class Link(Struct, frozen=True):
    """Where something is served."""

    href: str
    rel: str = "self"


class ProtonEntry(Struct, frozen=True, kw_only=True):
    """One proton of `GET /proton/`."""

    proton_service: str
    status: str = "CURRENT"
    links: tuple[Link, ...] = ()


class ProtonList(Struct, frozen=True):
    """Answer of `GET /proton/`."""

    protons: tuple[ProtonEntry, ...]


class Version(Struct, frozen=True, kw_only=True):
    """One version of a proton's API."""

    id: str
    """As in the URL: `v1.0`."""
    status: str = "CURRENT"
    links: tuple[Link, ...] = ()


class VersionList(Struct, frozen=True):
    """Answer of `GET /proton/<proton>/`."""

    default_version: Version
    versions: tuple[Version, ...]


class Resource(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One API object as the server describes it to clients."""

    resource_name: str
    """`api.name` of the model, e.g. `vpn`."""
    plural_name: str
    object: str
    """The model's object name, e.g. `VpnService`."""
    primary_key: str
    attributes: tuple[Attribute, ...]
    parent: str = ""
    """`resource_name` of the parent; empty for none."""
    parent_key: str = ""
    description: str = ""
    rules: tuple[str, ...] = ()
    """The rules between its attributes and between its objects, a sentence each."""
    links: tuple[Link, ...] = ()

    @property
    def is_port(self) -> bool:
        """Whether this is the proton's port, whatever the model calls it; only ports are bound to hosts."""
        return {a.name for a in self.attributes} >= _ONLY_A_PORT_HAS


class ResourceList(Struct, frozen=True):
    """Answer of `GET /proton/<proton>/v1.0/`."""

    resources: tuple[Resource, ...]


class PortBinding(Struct, frozen=True, kw_only=True):
    """A port's binding to one host."""

    host: str
    vnic_type: str
    profile: Value
    """Given by the caller for the host, such as Nova's `migrating_to`."""
    vif_type: str
    """`unbound` until a controller has answered, `binding_failed` when none could bind it."""
    vif_details: Value
    status: str
    """ACTIVE or INACTIVE."""
    status_reason: str | None
    """Why it is not bound; null while nothing is wrong.  Neutron has no such member."""


class PortBindingBody(Struct, frozen=True):
    """One binding."""

    binding: PortBinding


class PortBindingList(Struct, frozen=True):
    """Answer of `GET .../bindings`: all bindings of a port, the active one first, then by host."""

    bindings: tuple[PortBinding, ...]


class ErrorDetail(Struct, frozen=True, kw_only=True):
    """Names one attribute and says why it was refused."""

    attribute: str
    message: str


class Error(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request failed, for a person and for a program."""

    status: int
    """The HTTP status."""
    code: str
    """One word for programs: bad_request, invalid_attributes, not_found, method_not_allowed,
    duplicate, in_use, reference_missing, conflict, precondition_failed, too_large, header_too_large,
    unsupported_media_type, timeout, unavailable, internal."""
    message: str
    """One sentence: what happened, to what, and what to do."""
    details: tuple[ErrorDetail, ...] = ()


class ErrorBody(Struct, frozen=True):
    """The body of every answer from 400 on."""

    error: Error


def proton_path(proton: str) -> str:
    """Path of a proton's versions."""
    return f"{ROOT}{proton}/"


def version_path(proton: Proton) -> str:
    """Path of a proton's resources."""
    return f"{proton_path(proton.name)}v{proton.info.version}/"


def collection_path(proton: Proton, object_type: ObjectType) -> str:
    """Path of a collection."""
    return version_path(proton) + object_type.api.plural_name


def object_path(proton: Proton, object_type: ObjectType, key: str) -> str:
    """Path of one object; the key is percent-encoded."""
    return f"{collection_path(proton, object_type)}/{quote(key, safe=':')}"


def resource(proton: Proton, object_type: ObjectType) -> Resource:
    """How the server describes one API object."""
    parent = proton.objects[object_type.api.parent] if object_type.api.parent else None
    return Resource(
        resource_name=object_type.api.name,
        plural_name=object_type.api.plural_name,
        object=object_type.name,
        primary_key=object_type.primary_key.name,
        attributes=tuple(object_type.attributes.values()),
        parent=parent.api.name if parent else "",
        parent_key=object_type.api.parent_key,
        description=object_type.description,
        rules=object_type.sentences,
        links=(Link(href=collection_path(proton, object_type)),),
    )
