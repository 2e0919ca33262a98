"""Two hypervisors that belong to the real OpenDaylight."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.controller import OpenDaylight
from lab.fabric import Fabric


@pytest.fixture(scope="module")
def fabric(opendaylight: OpenDaylight, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fabric]:
    """Hypervisors `h1` and `h2`, and an OpenDaylight that knew nothing before."""
    opendaylight.kill()
    opendaylight.wipe()
    opendaylight.start()
    with Fabric(tmp_path_factory.mktemp("fabric")) as made:
        made.connect()
        yield made
