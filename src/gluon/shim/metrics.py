"""What the shim counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter("gluon_shim_events", "Changes seen below /proton/.", ["proton"])
MALFORMED = Counter("gluon_shim_malformed", "Keys or values in etcd that were reported and skipped.", ["prefix"])
CALLBACKS = Counter("gluon_shim_callbacks", "Callbacks made, by result: ok, failed, refused.", ["callback", "result"])
CALLBACK_SECONDS = Histogram("gluon_shim_callback_seconds", "Duration of callbacks in seconds.", ["callback"])
QUEUE = Gauge("gluon_shim_queue", "Keys that are due or being worked on.", ["proton"])
OBJECTS = Gauge(
    "gluon_shim_objects",
    "Objects by state: desired, applied, bound, waiting, in_use, failing, unreadable.",
    ["proton", "state"],
)
LEADER = Gauge("gluon_shim_leader", "1 while this shim is the active one of its controller.")
AUDIT = Gauge("gluon_shim_audit", "What the last audit found: missing, differing, orphans.", ["proton", "kind"])
HEALTH = Gauge("gluon_shim_controller_reachable", "1 while the SDN controller can be reached.", ["proton"])
BRAKE = Gauge("gluon_shim_brake", "1 while deletions are held back.")
BLOCKED = Counter("gluon_shim_blocked", "Times that a callback blocked the event loop for over a second.", ["callback"])
