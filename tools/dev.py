"""Starts etcd, proton-server and a shim with the dummy backend, and leaves them up until Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path

from gluon.testing.process import ProcessFailed, ServerProcess
from gluon.testing.stack import LocalStack

DIRECTORY = Path(".run/dev")


def follow(server: ServerProcess, ended: threading.Event) -> None:
    """Prints what a server logs from now on."""
    read = len(server.log)
    while not ended.wait(0.2):
        log = server.log
        for line in log[read:].splitlines():
            print(f"{server.name:<18} | {line}")
        read = len(log)


def main() -> int:
    """Runs until Ctrl-C, or until one of the servers ends."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        with LocalStack(DIRECTORY.absolute()) as stack:
            port = stack.url.rpartition(":")[2]
            print(
                f"REST API    {stack.url}/proton/   (its pages: {stack.url}/docs)\n"
                f"shim        {stack.shim.health}/status\n"
                f"etcd        {stack.etcd.endpoint}\n"
                f"data, logs  {DIRECTORY}; kept until you delete it\n\n"
                f"In another terminal:\n"
                f"  export OS_PROTON_PORT={port} OS_PROTON_API=net-l3vpn PATH=$PWD/.venv/bin:$PATH\n"
                f"  protonclient port-create --mac_address fa:16:3e:00:00:01 --tenant_id $(uuidgen) --name p1\n"
                f"  protonclient port-list\n\n"
                f"Ctrl-C ends all three.\n"
            )
            for server in (stack.proton, stack.shim):
                threading.Thread(target=follow, args=(server, ended), daemon=True).start()
            while not ended.wait(0.5):
                for server in (stack.proton, stack.shim):
                    if not server.is_running:
                        time.sleep(0.5)
                        print(f"{server.name} ended with exit code {server.exit_code}; ending the others")
                        ended.set()
    except ProcessFailed as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
