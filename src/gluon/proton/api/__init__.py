"""The REST API: routes made from the schema, bodies, errors, and its description.

Belongs here: everything that knows of HTTP.
Does not belong here: the effect of a request (`gluon.proton.service`); the database
(`gluon.proton.storage`), whose errors the service hands on.
"""

from gluon.proton.api.application import build_application

__all__ = ["build_application"]
