"""The modelling language: YAML text in, frozen types out, and the validation of values.

Belongs here: the rules of a model file, the checks at load, and the checks of an object's values.
Does not belong here: reading files (`gluon.models`), HTTP, SQL, etcd.  Pure: no I/O.
"""

from gluon.schema.attribute import FORMATS, Attribute, AttributeType
from gluon.schema.checks import Value
from gluon.schema.errors import InvalidAttributes, ModelError, Problem
from gluon.schema.formats import Mismatch
from gluon.schema.parse import parse_proton
from gluon.schema.types import (
    META_ATTRIBUTES,
    Api,
    Base,
    Info,
    ObjectType,
    Policies,
    Proton,
    Subnet,
)
from gluon.schema.validation import conform, validate_attributes, validate_key

__all__ = [
    "FORMATS",
    "META_ATTRIBUTES",
    "Api",
    "Attribute",
    "AttributeType",
    "Base",
    "Info",
    "InvalidAttributes",
    "Mismatch",
    "ModelError",
    "ObjectType",
    "Policies",
    "Problem",
    "Proton",
    "Subnet",
    "Value",
    "conform",
    "parse_proton",
    "validate_attributes",
    "validate_key",
]
