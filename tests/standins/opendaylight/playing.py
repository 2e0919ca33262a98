"""Plays exchanges against a RESTCONF server, a real one or a stand-in, and brings the answers into one form."""

from __future__ import annotations

import base64
import http.client
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from standins.opendaylight.exchanges import CALL, CONFIG, OPERATIONAL, SCENARIOS, Exchange, Scenario

DRAFT02, RFC8040 = "draft02", "rfc8040"
FLAVOURS = (DRAFT02, RFC8040)

RECORDED = Path(__file__).with_name("recorded") / "neon.json"
"""The answers of a real OpenDaylight Neon: by flavour, by scenario, by exchange."""

PASSWORD = "admin"
WAIT = 10.0
"""Seconds for which an awaited status is waited for."""
SETTLED = 1.0
"""Seconds for which an awaited answer is the same before it counts: netvirt writes in more than one go."""
TIDY = 60.0
"""Seconds after which what is deleted must be gone."""

VOLATILE = frozenset({"vpn-id", "vrf-id", "elan-tag", "lport-tag", "if-index", "vpnInstanceId"})
"""Numbers that netvirt draws: that they are there counts."""

ERROR = ("error-type", "error-tag", "error-message")
"""What is kept of an error; the rest is a stack trace."""
OBJECT = re.compile(r"@[0-9a-f]+")
"""Java's word for an object that cannot be printed."""

Answer = dict[str, Any]
Answers = dict[str, dict[str, Answer]]


class NotTidy(RuntimeError):
    """Something of a scenario is left over, and would be in the next one's way."""


class Player:
    """Sends exchanges in one flavour.

    Args:
        url: the server, e.g. `http://127.0.0.1:8181`.
        flavour: `draft02` or `rfc8040`.
        pace: every time that netvirt gets is multiplied by this.
    """

    def __init__(self, url: str, flavour: str, pace: float = 1.0) -> None:
        self._address = urlsplit(url).netloc
        self._flavour = flavour
        self._pace = pace

    def play(self, scenarios: Iterable[Scenario] = SCENARIOS) -> Answers:
        """The answers, by scenario and exchange."""
        return {scenario.name: self._scenario(scenario) for scenario in scenarios}

    def _scenario(self, scenario: Scenario) -> dict[str, Answer]:
        try:
            answers = [(exchange, self.send(exchange)) for exchange in scenario.exchanges]
        finally:
            self._tidy(scenario)
        return {exchange.name: answer for exchange, answer in answers if not exchange.chancy}

    def send(self, exchange: Exchange) -> Answer:
        """One exchange, repeated as it says."""
        deadline = time.monotonic() + self._pace * (exchange.stays or (WAIT if exchange.until else 0.0))
        while True:
            answer = self._once(exchange)
            if answer["status"] == exchange.until:
                return self._settled(exchange, answer)
            if time.monotonic() >= deadline:
                return answer
            time.sleep(0.1)

    def _settled(self, exchange: Exchange, answer: Answer) -> Answer:
        since, deadline = time.monotonic(), time.monotonic() + self._pace * WAIT
        while time.monotonic() < min(since + self._pace * SETTLED, deadline):
            time.sleep(0.1)
            if (now := self._once(exchange)) != answer:
                since, answer = time.monotonic(), now
        return answer

    def _tidy(self, scenario: Scenario) -> None:
        for path in scenario.tidy:
            self._once(Exchange("tidy", "DELETE", path))
        deadline = time.monotonic() + self._pace * TIDY
        while left := [path for path in self._traces(scenario) if self._is_there(path)]:
            if time.monotonic() > deadline:
                raise NotTidy(f"after `{scenario.name}` there is still {', '.join(left)}")
            time.sleep(0.1)

    @staticmethod
    def _traces(scenario: Scenario) -> Sequence[tuple[str, str]]:
        """What was made by itself."""
        return [(exchange.store, exchange.path) for exchange in scenario.exchanges if exchange.until == OK]

    def _is_there(self, trace: tuple[str, str]) -> bool:
        store, path = trace
        return bool(self._once(Exchange("trace", "GET", path, store=store))["status"] == OK)

    def _once(self, exchange: Exchange) -> Answer:
        connection = http.client.HTTPConnection(self._address, timeout=60)
        try:
            connection.request(exchange.method, self._path(exchange), _content(exchange), _headers(exchange))
            response = connection.getresponse()
            return canonical_answer(response.status, response.getheader("Location"), response.read().decode())
        finally:
            connection.close()

    def _path(self, exchange: Exchange) -> str:
        if self._flavour == DRAFT02:
            path = f"/restconf/{exchange.store}/{exchange.path.replace('=', '/')}"
            queries = [exchange.query]
        else:
            path = f"/rests/{'operations' if exchange.store == CALL else 'data'}/{exchange.path}"
            queries = [exchange.query, CONTENT.get(exchange.store, "") if exchange.method == "GET" else ""]
        query = "&".join(filter(None, queries))
        return path + exchange.suffix + (f"?{query}" if query else "")


OK = 200
CONTENT = {CONFIG: "content=config", OPERATIONAL: "content=nonconfig"}
"""RFC 8040 has one datastore, and a query that says which part of it."""


def _content(exchange: Exchange) -> bytes | None:
    if exchange.body is None:
        return None
    text = exchange.body if isinstance(exchange.body, str) else json.dumps(exchange.body)
    return text.encode()


def _headers(exchange: Exchange) -> Mapping[str, str]:
    headers = {"Accept": "application/json"}
    if exchange.body is not None:
        headers["Content-Type"] = exchange.content_type
    if exchange.user is not None:
        credentials = base64.b64encode(f"{exchange.user}:{PASSWORD}".encode()).decode()
        headers["Authorization"] = f"Basic {credentials}"
    return headers


def canonical_answer(status: int, location: str | None, text: str) -> Answer:
    """The answer in the one form in which answers are compared."""
    answer: Answer = {"status": status, "body": canonical(_parsed(text))}
    if location is not None:
        answer["location"] = urlsplit(location).path
    return answer


def _parsed(text: str) -> Any:
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except ValueError:
        return "not JSON"


def canonical(value: Any) -> Any:
    """Lists in an order, what is drawn replaced, of errors only what a program reads."""
    if isinstance(value, list):
        return sorted((canonical(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(value, dict):
        if "error-tag" in value:
            return {name: OBJECT.sub("@drawn", value[name]) for name in ERROR if name in value}
        return {name: "drawn" if _bare(name) in VOLATILE else canonical(item) for name, item in sorted(value.items())}
    return value


def _bare(name: str) -> str:
    return name.rpartition(":")[2]


def record(url: str, say: Callable[[str], None] = print) -> dict[str, Answers]:
    """Plays everything in both flavours."""
    answers = {}
    for flavour in FLAVOURS:
        started = time.monotonic()
        answers[flavour] = Player(url, flavour).play()
        say(f"{flavour}: {time.monotonic() - started:.0f} s")
    return answers


def write(answers: Mapping[str, Answers], file: Path = RECORDED) -> None:
    """Keeps the answers."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(answers, indent=1, sort_keys=False) + "\n")


def recorded(file: Path = RECORDED) -> dict[str, Answers]:
    """The answers that are kept."""
    answers: dict[str, Answers] = json.loads(file.read_text())
    return answers
