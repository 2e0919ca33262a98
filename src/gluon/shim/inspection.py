"""What people and machines may look at: /healthz, /readyz, /metrics and /status."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gluon.process import health
from gluon.shim.leading import Leading
from gluon.shim.settings import ShimSettings


class Inspection:
    """The routes of one shim."""

    def __init__(self, shim: ShimSettings, leading: Leading) -> None:
        self._shim = shim
        self._leading = leading

    def routes(self) -> list[Route]:
        """All four."""
        checks = {"etcd": self._etcd, "controller": self._controller, "brake": self._brake}
        return [*health.routes(checks, self._count), Route("/status", self._status)]

    async def _etcd(self) -> health.Check:
        """A leader follows and writes; a standby is ready too, unless it could not take over."""
        term = self._leading.term
        outage = term.outage if term is not None else self._leading.election.outage
        if outage is not None:
            return health.Check(ok=False, state=str(outage))
        if term is None:
            return self._standby()
        if not term.connected:
            return health.Check(ok=False, state="not connected")
        return health.Check(ok=term.in_sync, state="in sync" if term.in_sync else term.brake.reason or "loading")

    def _standby(self) -> health.Check:
        holder = self._leading.election.holder
        if holder is None:
            return health.Check(ok=False, state="starting")
        try:
            active = msgspec.json.decode(holder, type=dict[str, object])
        except msgspec.DecodeError:
            active = {}
        if active.get("handlers", self._shim.handlers) != self._shim.handlers:
            state = (
                f"standby of {active.get('leader')}, which has other handlers ({active['handlers']}): it would not be "
                "replaced by this shim; give both the same handlers, or this one another [shim] controller"
            )
            return health.Check(ok=False, state=state)
        return health.Check(ok=True, state="standby")

    async def _controller(self) -> health.Check:
        reasons = self._leading.healths.reasons
        state = "; ".join(f"{proton}: {reason}" for proton, reason in reasons.items()) or "reachable"
        return health.Check(ok=not reasons, state=state, required=False)

    async def _brake(self) -> health.Check:
        reason = self._leading.term.brake.reason if self._leading.term else ""
        return health.Check(ok=not reason, state=reason or "off", required=False)

    async def _status(self, _: Request) -> Response:
        term, leading = self._leading.term, self._leading
        return JSONResponse(
            {
                "controller": self._shim.identity.controller,
                "role": "active" if term else "standby",
                "in_sync": bool(term and term.in_sync),
                "fence": term.fence if term else 0,
                "etcd": (await self._etcd()).state,
                "brake": term.brake.reason if term else "",
                "unhandled": term.unhandled if term else {},
                "controllers_away": leading.healths.reasons,
                "blocked_by": leading.blocking.blocked,
                "protons": term.status() if term else {},
            }
        )

    def _count(self) -> None:
        if self._leading.term is not None:
            self._leading.term.count()
