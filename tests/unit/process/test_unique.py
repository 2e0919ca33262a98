from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from gluon.process.unique import AT_ONCE, unique_id


def test_ids_are_random_uuids_that_differ_also_between_threads() -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: unique_id(), range(20 * AT_ONCE)))
    assert len(set(made)) == len(made)
    assert {each.version for each in made} == {4}


def test_a_forked_process_makes_others() -> None:
    unique_id()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, unique_id().bytes)
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 16) != unique_id().bytes
