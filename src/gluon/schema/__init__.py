"""The modelling language: YAML text in, frozen types out, and the validation of values.

Belongs here: the rules of a model file, the checks at load, and the checks of an object's values.
Does not belong here: reading files (`gluon.models`), HTTP, SQL, etcd.  Pure: no I/O.
"""

from gluon.schema.attribute import FORMATS, Attribute, AttributeType
from gluon.schema.checks import Value
from gluon.schema.errors import InvalidAttributes, ModelError, Problem
from gluon.schema.faults import find_faults
from gluon.schema.formats import Mismatch
from gluon.schema.object_rules import CountsDown, Different, Range, Rule, SameFamily, Unique
from gluon.schema.parse import parse_proton
from gluon.schema.subnets import Subnet
from gluon.schema.types import (
    META_ATTRIBUTES,
    Api,
    Base,
    Info,
    ObjectType,
    Policies,
    Proton,
)
from gluon.schema.validation import conform, validate_attributes, validate_key, violations

__all__ = [
    "FORMATS",
    "META_ATTRIBUTES",
    "Api",
    "Attribute",
    "AttributeType",
    "Base",
    "CountsDown",
    "Different",
    "Info",
    "InvalidAttributes",
    "Mismatch",
    "ModelError",
    "ObjectType",
    "Policies",
    "Problem",
    "Proton",
    "Range",
    "Rule",
    "SameFamily",
    "Subnet",
    "Unique",
    "Value",
    "conform",
    "find_faults",
    "parse_proton",
    "validate_attributes",
    "validate_key",
    "violations",
]
