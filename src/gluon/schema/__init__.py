"""The modelling language: YAML text in, frozen types out, and the validation of values.

Belongs here: what a model may say, the checks at load, the checks on a value.
Does not belong here: reading files (`gluon.models`), HTTP, SQL, etcd.  Pure: no I/O.
"""

from gluon.schema.errors import InvalidAttributes, ModelError, Problem
from gluon.schema.parse import parse_proton
from gluon.schema.types import (
    META_ATTRIBUTES,
    Api,
    Attribute,
    AttributeType,
    Base,
    Info,
    ObjectType,
    Policies,
    Proton,
    Subnet,
    Value,
)
from gluon.schema.validation import (
    conform,
    is_generated,
    validate_attributes,
    validate_key,
)
from gluon.schema.values import expected

__all__ = [
    "META_ATTRIBUTES",
    "Api",
    "Attribute",
    "AttributeType",
    "Base",
    "Info",
    "InvalidAttributes",
    "ModelError",
    "ObjectType",
    "Policies",
    "Problem",
    "Proton",
    "Subnet",
    "Value",
    "conform",
    "expected",
    "is_generated",
    "parse_proton",
    "validate_attributes",
    "validate_key",
]
