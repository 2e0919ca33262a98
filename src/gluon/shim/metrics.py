"""What the shim counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter("gluon_shim_events", "Changes seen below /proton/.", ["proton"])
MALFORMED = Counter("gluon_shim_malformed", "Keys or values in etcd that were reported and skipped.", ["prefix"])
CALLBACKS = Counter("gluon_shim_callbacks", "Callbacks made, by result: ok, failed, refused.", ["callback", "result"])
CALLBACK_SECONDS = Histogram("gluon_shim_callback_seconds", "Duration of callbacks in seconds.", ["callback"])
QUEUE = Gauge("gluon_shim_queue", "Keys that are due or being worked on.", ["proton"])
OBJECTS = Gauge(
    "gluon_shim_objects", "Objects by state: desired, applied, waiting, in_use, failing.", ["proton", "state"]
)
LEADER = Gauge("gluon_shim_leader", "1 while this shim is the active one of its controller.")
