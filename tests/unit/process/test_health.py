"""`/readyz` and its kin, over HTTP."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Counter

from gluon.process import health
from gluon.process.health import Check


def fetch(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


async def asked(path: str, checks: health.Checks, **arguments) -> tuple[int, str]:
    async with health.serving("127.0.0.1", 0, health.routes(checks, **arguments)) as port:
        return await asyncio.to_thread(fetch, port, path)


def always(check: Check):
    async def run() -> Check:
        return check

    return run


FINE = Check(ok=True, state="connected")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("check", "code", "shown"),
    [
        (FINE, 200, {"ok": True, "state": "connected"}),
        (Check(ok=False, state="away"), 503, {"ok": False, "state": "away"}),
        (Check(ok=False, state="away", required=False), 200, {"ok": False, "state": "away"}),
        (
            Check(ok=True, state="in sync", degraded="net-l3vpn: no route to the controller"),
            200,
            {"ok": True, "state": "in sync", "degraded": "net-l3vpn: no route to the controller"},
        ),
    ],
)
async def test_readiness_is_that_of_the_required_checks(check, code, shown):
    status, body = await asked("/readyz", {"database": always(FINE), "etcd": always(check)})
    assert status == code
    assert json.loads(body) == {
        "status": "ready" if code == 200 else "not ready",
        "checks": {"database": {"ok": True, "state": "connected"}, "etcd": shown},
    }


@pytest.mark.asyncio
async def test_a_check_that_does_not_answer_hides_no_other(monkeypatch):
    monkeypatch.setattr(health, "CHECK_TIMEOUT", 0.05)

    async def never() -> Check:
        await asyncio.Event().wait()
        return FINE

    status, body = await asked("/readyz", {"slow": never, "slower": never, "database": always(FINE)})
    checks = json.loads(body)["checks"]
    assert status == 503
    assert checks["slow"] == checks["slower"] == {"ok": False, "state": "no answer within 0.05 s"}
    assert checks["database"]["ok"]


@pytest.mark.asyncio
async def test_a_check_that_fails_hides_no_other_and_tells_no_secret(caplog):
    async def broken() -> Check:
        raise RuntimeError("password hunter2")

    status, body = await asked("/readyz", {"broken": broken, "database": always(FINE)})
    assert status == 503
    assert json.loads(body)["checks"] == {
        "broken": {"ok": False, "state": "the check failed: RuntimeError; the log says more"},
        "database": {"ok": True, "state": "connected"},
    }
    assert "the check of broken failed" in caplog.text


@pytest.mark.asyncio
async def test_alive_and_measured():
    registry = CollectorRegistry()
    counted = Counter("looks", "How often somebody looked.", registry=registry)
    assert await asked("/healthz", {}) == (200, '{"status":"ok"}')
    status, body = await asked("/metrics", {}, collect=counted.inc, registry=registry)
    assert status == 200
    assert "looks_total 1.0" in body
