"""A configuration file that says what nothing reads is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from oslo_config import cfg

from gluon.distribution import version
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


def test_what_is_misspelled_in_a_directory_is_refused(tmp_path):
    (tmp_path / "10.conf").write_text("[shim]\nhost_list = h1\n")
    (tmp_path / "20.conf").write_text("[shim]\nhostlist = h1\n")
    conf = config.read("test", OPTIONS, ["--config-dir", str(tmp_path)])
    with pytest.raises(StartFailed, match=r"20.conf: \[shim\] has no option hostlist"):
        config.refuse_unknown(conf, OPTIONS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[DEFAULT]\nlog_level = LOUD\n", "log_level.*gluon.conf"),
        (b"[shim]\netcd_password hunter2\n", r"gluon.conf: line 2: "),
        (b"etcd_password = hunter2\n", r"gluon.conf: line 1: "),
        (b"[shim]\nhost_list = \xff\xfe\n", "a configuration file is not UTF-8 text: invalid start byte at byte 19"),
        (None, "gluon.conf"),
    ],
)
def test_what_can_not_be_read_is_one_sentence_without_a_secret(tmp_path, content, said):
    file = tmp_path / "gluon.conf"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(StartFailed, match=said) as caught:
        config.read("test", OPTIONS, ["--config-file", str(file)])
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_in_place_of_a_file_is_told(tmp_path):
    with pytest.raises(StartFailed, match=str(tmp_path)):
        config.read("test", OPTIONS, ["--config-file", str(tmp_path)])


@pytest.mark.parametrize("name", ["debug", "use_json"])
def test_a_bad_boolean_names_its_file(tmp_path, name):
    file = tmp_path / "bad.conf"
    file.write_text(f"[DEFAULT]\n{name} = maybe\n")
    with pytest.raises(StartFailed) as caught:
        config.read("p", {"DEFAULT": config.LOG_OPTIONS}, ["--config-file", str(file)])
    assert str(caught.value) == f"{file}: {name}: expected true or false, got 'maybe'"


def test_a_name_of_the_command_line_is_no_name_of_a_file(tmp_path):
    # oslo.config would pass over it, so the log would stay as it was.
    with pytest.raises(StartFailed, match="has no option use-json; did you mean use_json"):
        read(tmp_path, "[DEFAULT]\nuse-json = true\n")


def test_what_the_command_line_takes(tmp_path):
    file = tmp_path / "gluon.conf"
    file.write_text("[DEFAULT]\nlog_level = WARNING\n")
    argv = ["--config-file", str(file), "--debug", "--use-json", "--logfile", "x.log"]
    settings = config.log_settings(config.read("test", OPTIONS, argv))
    assert (settings.level, settings.as_json, settings.file) == ("DEBUG", True, Path("x.log"))
    settings = config.log_settings(config.read("test", OPTIONS, ["--config-file", str(file), "--log-file", "y.log"]))
    assert (settings.level, settings.as_json, settings.file) == ("WARNING", False, Path("y.log"))


def test_the_version(capsys):
    with pytest.raises(SystemExit) as end:
        config.read("proton-server", OPTIONS, ["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"proton-server {version()}\n"


@pytest.mark.parametrize("name", ["gluon.conf", "proton-server.conf", "proton.conf", "proton.conf.d/10.conf"])
def test_the_files_that_are_read_when_none_is_named(tmp_path, monkeypatch, name):
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / ".gluon" / name
    file.parent.mkdir(parents=True)
    file.write_text("[shim]\nhost_list = h1\n")
    assert config.read("proton-server", OPTIONS, [], sample="proton").shim.host_list == ["h1"]


def test_a_section_of_2017_says_what_to_do(tmp_path):
    with pytest.raises(StartFailed, match=r"\[keystone_authtoken\]: requests are not authenticated yet: take"):
        read(tmp_path, "[keystone_authtoken]\nauth_url = http://keystone\n")


@pytest.mark.parametrize(
    ("text", "said"), [("verbose = true", "log_level and debug say"), ("log_dir = /var/log", "write the whole path as")]
)
def test_an_option_of_2017_says_what_to_write(tmp_path, text, said):
    with pytest.raises(StartFailed, match=said):
        read(tmp_path, f"[DEFAULT]\n{text}\n")
