"""Starts etcd, proton-server and a shim with the dummy backend, and leaves them up until Ctrl-C."""

from __future__ import annotations

import fcntl
import sys
import threading
import time
import uuid
from pathlib import Path

from gluon.testing.process import ProcessFailed, ServerProcess, exit_on_signals
from gluon.testing.stack import LocalStack

DIRECTORY = Path(".run/dev")


def follow(server: ServerProcess) -> None:
    """Prints what a server logs from now on, without end."""
    read = len(server.log)
    while True:
        time.sleep(0.2)
        log = server.log
        for line in log[read:].splitlines():
            print(f"{server.name:<18} | {line}")
        read = len(log)


def explain(stack: LocalStack) -> None:
    """Prints where everything is."""
    port = stack.url.rpartition(":")[2]
    print(
        f"REST API    {stack.url}/proton/   (its pages: {stack.url}/docs)\n"
        f"shim        {stack.shim.health}/status\n"
        f"etcd        {stack.etcd.endpoint}\n"
        f"data, logs  {DIRECTORY}; kept until you delete it\n\n"
        f"In another terminal:\n"
        f"  export OS_PROTON_PORT={port} OS_PROTON_API=net-l3vpn PATH=$PWD/.venv/bin:$PATH\n"
        f"  protonclient port-create --mac_address fa:16:3e:00:00:01 --tenant_id {uuid.uuid4()} --name p1\n"
        f"  protonclient port-list\n\n"
        f"Ctrl-C ends all three.\n"
    )


def watch(stack: LocalStack) -> int:
    """Prints the logs until one of the servers ends."""
    for server in (stack.proton, stack.shim):
        threading.Thread(target=follow, args=(server,), daemon=True).start()
    while True:
        time.sleep(0.5)
        for server in (stack.proton, stack.shim):
            if not server.is_running:
                print(f"{server.name} ended with exit code {server.exit_code}; ending the others")
                return 1


def main() -> int:
    """Runs until Ctrl-C, or until one of the servers ends."""
    exit_on_signals()
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with (DIRECTORY / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("make dev runs already, in another terminal; end that one first")
            return 1
        try:
            with LocalStack(DIRECTORY.absolute()) as stack:
                explain(stack)
                return watch(stack)
        except ProcessFailed as error:
            print(error)
            return 1
        except SystemExit:
            return 0  # Asked to end: that is how it ends.


if __name__ == "__main__":
    sys.exit(main())
