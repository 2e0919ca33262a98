"""A configuration file that says what nothing reads is refused."""

from __future__ import annotations

import pytest
from oslo_config import cfg

from gluon.process import config
from gluon.process.run import StartFailed

OPTIONS = {"DEFAULT": config.LOG_OPTIONS, "shim": [cfg.ListOpt("host_list", default=["*"])]}


def read(tmp_path, text):
    file = tmp_path / "gluon.conf"
    file.write_text(text)
    conf = config.read("test", OPTIONS, ["--config-file", str(file)])
    config.refuse_unknown(conf, OPTIONS)
    return conf


def test_what_is_known_is_read(tmp_path):
    assert read(tmp_path, "[DEFAULT]\nlog_level = DEBUG\n[shim]\nhost_list = h1,h2\n").shim.host_list == ["h1", "h2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[shim]\nhostlist = h1\n", r"gluon.conf: \[shim\] has no option hostlist; did you mean host_list\?"),
        ("[shim]\nwhatever = 1\n", r"\[shim\] has no option whatever; known: host_list"),
        ("[shin]\nhost_list = h1\n", r"there is no section \[shin\]; did you mean shim\?"),
        ("[DEFAULT]\nloglevel = DEBUG\n", r"\[DEFAULT\] has no option loglevel; did you mean log_level\?"),
    ],
)
def test_what_is_misspelled_is_refused(tmp_path, text, said):
    with pytest.raises(StartFailed, match=said):
        read(tmp_path, text)
