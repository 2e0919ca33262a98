"""How commands speak to a person: on standard output, sentences."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable

from gluon.terminal import escaped

RIGHTS = (
    "gluon-manage needs more rights in etcd than proton-server: give it a user of its own, with [api] etcd_user in a "
    "further --config-file (docs/how-to/run-it.md lists the rights)"
)
"""What to do when etcd denies something."""

MOST_NAMES = 20
"""Most names of one list that are shown."""


def say(text: str) -> None:
    """Prints a line at once, so that whoever follows a long command sees it."""
    print(escaped(text, keep="\n"), flush=True)  # noqa: T201 - what the commands are for


def show_names(names: Iterable[str]) -> None:
    """Prints names, one a line, and how many more there are."""
    all_names = list(names)
    for name in all_names[:MOST_NAMES]:
        say(f"  {name}")
    if len(all_names) > MOST_NAMES:
        say(f"  ... and {len(all_names) - MOST_NAMES} more")


async def confirmed(question: str) -> bool:
    """Asks at a terminal; False where there is none, or for any answer but `yes`."""
    if not sys.stdin.isatty():
        return False
    print(f"{question} Type yes to go on: ", end="", flush=True)  # noqa: T201 - as above
    answer: str = await asyncio.to_thread(sys.stdin.readline)
    return answer.strip() == "yes"
