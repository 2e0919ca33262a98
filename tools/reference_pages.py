"""The REST reference and the list of metrics, made from what the servers serve."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

from prometheus_client.metrics import MetricWrapperBase

from gluon.contract import rest
from gluon.models import catalog
from gluon.proton import metrics as proton_metrics
from gluon.proton.api import openapi
from gluon.shim import metrics as shim_metrics

_PROTONS = ("net-l3vpn",)
_METHODS = ("get", "post", "put", "delete")

REST_INTRODUCTION = """\
The API of a proton follows from its model, so this page shows `net-l3vpn`; a proton of your own has
the same paths with its own names. A running server describes all that it serves: `/docs` for people,
`/openapi.json` (OpenAPI 3.1) for programs. The attributes are on the page of each proton:
[net-l3vpn](protons/net-l3vpn.md), [ietf-sfc](protons/ietf-sfc.md), [test](protons/test.md).

Bodies are JSON in UTF-8 with `Content-Type: application/json`. Requests are not authenticated yet.

## Reading a list

| parameter | meaning |
|---|---|
| `<attribute>=<value>` | only objects with this value; of several values any will do; empty: what is unset |
| `limit=<n>` | at most so many objects |
| `marker=<key>` | only objects after this key: the last one of the page before |

Objects come in the order of their keys.

## Headers

| header | in | meaning |
|---|---|---|
| `ETag` | answers | names the state of the object |
| `If-Match` | PUT, DELETE | the change is made only if the object is still in that state; otherwise 412 |
| `If-None-Match` | GET | the object is sent only if it is in another state; otherwise 304 |
| `If-Unmodified-Since` | PUT, DELETE | refused (412), but for beside `If-Match` |
| `X-Openstack-Request-Id` | requests, answers | the id under which the servers log the request; optional |

`If-Match` takes ETags, `revision_number=<n>` as in Neutron, or `*`. A date can't tell two changes of one
second apart, so it would protect from nothing.

A request id is `req-` and a UUID; anything else is replaced by a new one, which the answer has. A shim's log
has an id that the client gave in each line about the change. Lines about a deletion have none, since etcd has
nothing of the object any more that could carry it.

## Changes

A PUT names the attributes that change and leaves the others; null unsets one. An object's key never
changes. A DELETE of an object that another one names is refused (409).

## Paths
"""


def rest_page(made: str) -> str:
    """The REST reference."""
    document: dict[str, Any] = openapi.document(catalog.load(_PROTONS))
    lines = ["# The REST API", "", f"This page is {made}.", "", REST_INTRODUCTION]
    lines += ["| request | what it does | answers |", "|---|---|---|"]
    for path, operations in document["paths"].items():
        for method in [each for each in _METHODS if each in operations]:
            operation = operations[method]
            statuses = ", ".join(operation["responses"])
            lines.append(f"| `{method.upper()} {path}` | {operation['summary']} | {statuses} |")
    lines += ["", "## Errors", "", "Whatever fails answers with the same body:", "", "```json", _ERROR, "```", ""]
    lines += ["| member | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in _members(rest.Error).items()]
    lines += ["", "| status | when |", "|---|---|"]
    lines += [f"| {status} | {meaning} |" for status, meaning in openapi._ERRORS.items()]  # noqa: SLF001 - its only reader beside the document
    return "\n".join(lines)


_ERROR = """\
{
  "error": {
    "status": 400,
    "code": "invalid_attributes",
    "message": "Port: 1 attribute can't be taken as it is.",
    "details": [{"attribute": "mtu", "message": "expected an integer 68..65535, got 12"}]
  }
}"""


def _members(struct: type) -> dict[str, str]:
    """The members of a struct with the docstrings below them."""
    source = inspect.getsource(struct)
    found: dict[str, str] = dict.fromkeys(struct.__annotations__, "")
    for name in found:
        _, _, after = source.partition(f"\n    {name}: ")
        docstring = after.partition("\n")[2].lstrip()
        if docstring.startswith('"""'):
            found[name] = " ".join(docstring[3:].partition('"""')[0].split())
    found["details"] = found.get("details") or "One sentence for each attribute that was refused."
    return found


def metrics_page(made: str) -> str:
    """Every metric of both servers."""
    lines = ["# Metrics", "", f"This page is {made}. `/metrics` is served for Prometheus: by proton-server on its API",
             "port, by the shim on `[shim] http_port`. Beside these there are those of the process and of Python",
             "(`process_...`, `python_...`) that prometheus-client adds.", ""]  # fmt: skip
    for program, module in (("proton-server", proton_metrics), ("proton-shim-server", shim_metrics)):
        lines += [f"## {program}", "", "| metric | type | labels | meaning |", "|---|---|---|---|"]
        lines += _metrics(module)
        lines.append("")
    return "\n".join(lines)


def _metrics(module: ModuleType) -> list[str]:
    rows = []
    for metric in vars(module).values():
        if not isinstance(metric, MetricWrapperBase):
            continue
        [described] = metric.describe()
        name = f"{described.name}_total" if described.type == "counter" else described.name
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)  # noqa: SLF001 - it shows them nowhere else
        rows.append(f"| `{name}` | {described.type} | {labels} | {described.documentation} |")
    return rows
