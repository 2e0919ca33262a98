"""What proton-server counts, for `/metrics`."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("gluon_proton_requests", "Requests answered.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "gluon_proton_request_seconds",
    "Time from a request to its answer, waits for a bind included.",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
OUTBOX_PENDING = Gauge("gluon_proton_outbox_pending", "Changes that etcd has not been told yet, of all servers.")
IN_STEP = Gauge(
    "gluon_proton_in_step", "1 while etcd is known to be the one that this database fills, and to be filled; else 0."
)
BINDS = Counter(
    "gluon_proton_binds",
    "Binds that ended while their request waited, by outcome: bound, failed, timeout, superseded, stopped.",
    ["outcome"],
)
BIND_SECONDS = Histogram(
    "gluon_proton_bind_seconds",
    "Time from the commit that asks for a bind to the end of the wait.",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 4, 8, 16),
)
