"""The REST API: routes made from the schema, bodies, errors, and the OpenAPI document.

Belongs here: everything that knows of HTTP.
Does not belong here: what a request does (`gluon.proton.service`).
"""

from gluon.proton.api.application import build_application

__all__ = ["build_application"]
