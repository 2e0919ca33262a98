"""Where messages go, and how they look."""

from __future__ import annotations

import json
import logging

import pytest

from gluon.process import logs, request_id
from gluon.process.logs import LogSettings


@pytest.fixture(autouse=True)
def _the_root_logger_as_it_was():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    names = "logThreads", "logProcesses", "logMultiprocessing", "_srcfile"
    switches = {name: getattr(logging, name) for name in names}
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:], root.level = handlers, level
    for name, value in switches.items():
        setattr(logging, name, value)


def test_json_is_one_object_a_line(tmp_path):
    file = tmp_path / "gluon.log"
    logs.configure(LogSettings(file=file, as_json=True))
    request = request_id.begin()
    logging.getLogger("a.b").info("two\nlines of %s", "ü\x1b")
    try:
        assert 1 // 0
    except ZeroDivisionError:
        logging.getLogger("a.b").exception("failed")
    request_id.begin("")
    first, second = map(json.loads, file.read_text().splitlines())
    assert (first["level"], first["logger"], first["message"]) == ("INFO", "a.b", "two\nlines of ü\x1b")
    assert (first["request_id"], "traceback" in first) == (request, False)
    assert first["time"].endswith("Z")
    assert "ZeroDivisionError" in second["traceback"]


def test_a_file_that_logrotate_has_moved_is_made_again(tmp_path):
    file = tmp_path / "gluon.log"
    logs.configure(LogSettings(file=file))
    logging.getLogger("a").warning("one")
    file.rename(tmp_path / "gluon.log.1")
    logging.getLogger("a").warning("two")
    assert "one" in (tmp_path / "gluon.log.1").read_text()
    assert "two" in file.read_text()


def test_the_level(tmp_path):
    file = tmp_path / "gluon.log"
    logs.configure(LogSettings(file=file, level="ERROR"))
    logging.getLogger("a").warning("not this")
    logging.getLogger("a").error("this")
    assert "not this" not in file.read_text()


def test_a_name_forges_no_line_and_reaches_no_terminal(tmp_path):
    file = tmp_path / "gluon.log"
    logs.configure(LogSettings(file=file))
    logging.getLogger("a").warning("port %s", "x\n2026 INFO forged\x1b[2J\u202e")
    assert file.read_text().endswith(" port x\\n2026 INFO forged\\u001b[2J\\u202e\n")
    assert " WARNING a: " in file.read_text()
