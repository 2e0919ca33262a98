"""Reads configuration files; the options of logging."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from oslo_config import cfg, iniparser

from gluon.distribution import version
from gluon.process.logs import LogSettings
from gluon.process.run import StartFailed


class _Flag(cfg.BoolOpt):
    """A boolean of the command line; where a file has a bad value, oslo.config would not say which file."""

    def _get_from_namespace(self, namespace: Any, group_name: str | None) -> tuple[Any, Any]:
        value, place = super()._get_from_namespace(namespace, group_name)
        try:
            self.type(value)
        except ValueError as error:
            where = f"{place.detail}: " if place is not None and place.detail else ""
            raise StartFailed(f"{where}{self.dest}: expected true or false, got {value!r}") from error
        return value, place


CLI_OPTIONS: list[cfg.Opt] = [
    _Flag("debug", default=False, help="Log at level DEBUG, whatever log_level says."),
    cfg.StrOpt(
        "log-file",
        default="",
        deprecated_name="logfile",
        help="File that messages are appended to; it may be moved away by logrotate. Empty: standard output.",
    ),
    _Flag("use-json", default=False, help="Log one JSON object a line instead of text."),
]
"""Options of the command line as well: `--debug`, `--log-file` and its name of 2017, `--logfile`, `--use-json`."""

LOG_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "log_level",
        default="INFO",
        choices=["DEBUG", "INFO", "WARNING", "ERROR"],
        ignore_case=True,
        help="The least severe messages that are logged.",
    ),
    *CLI_OPTIONS,
]

PROJECT = "gluon"


def log_settings(conf: cfg.ConfigOpts) -> LogSettings:
    """How to log, from a configuration that has `LOG_OPTIONS`."""
    return LogSettings(
        level="DEBUG" if conf.debug else conf.log_level,
        file=Path(conf.log_file) if conf.log_file else None,
        as_json=conf.use_json,
    )


def default_files(program: str, sample: str) -> list[str]:
    """The configuration files that are there: `gluon.conf`, that of the program, and that of the sample.

    Each is looked for in `~/.gluon`, `~`, `/etc/gluon` and `/etc`, in this order.

    Args:
        program: e.g. `proton-server`.
        sample: the sample's name without `.conf`, e.g. `proton`, as the documentation names the file.
    """
    found = [*cfg.find_config_files(PROJECT, program), *cfg.find_config_files(PROJECT, sample)]
    return list(dict.fromkeys(found))


def default_directories(program: str, sample: str) -> list[str]:
    """The configuration directories that are there, `proton.conf.d` and so on, found as the files are."""
    found = [*cfg.find_config_dirs(PROJECT, program), *cfg.find_config_dirs(PROJECT, sample)]
    return list(dict.fromkeys(found))


def read(
    program: str, options: Mapping[str, Sequence[cfg.Opt]], argv: Sequence[str] | None, *, sample: str = ""
) -> cfg.ConfigOpts:
    """Reads the command line and the files that `--config-file` and `--config-dir` name.

    Args:
        program: the program's name, for usage and for the default files.
        options: by group; `DEFAULT` is the group of options without a section.
        argv: the arguments; None for those of this process.
        sample: the sample's name without `.conf`; see `default_files`.

    Returns:
        The oslo.config namespace, e.g. `.api.port`.

    Raises:
        SystemExit: wrong usage, after a message.
        StartFailed: a file that is missing or can't be parsed, a value that an option refuses.
    """
    conf = cfg.ConfigOpts()
    for group, opts in options.items():
        conf.register_opts(opts, group=None if group == "DEFAULT" else group)
    conf.register_cli_opts(CLI_OPTIONS)
    try:
        conf(
            args=argv,
            project=PROJECT,
            prog=program,
            version=f"{program} {version()}",
            default_config_files=default_files(program, sample or program),
            default_config_dirs=default_directories(program, sample or program),
        )
        for group, opts in options.items():
            section = conf if group == "DEFAULT" else conf[group]
            for opt in opts:
                getattr(section, opt.dest)  # oslo.config checks a value when it is read: read all now.
    except (cfg.Error, OSError, UnicodeError) as error:
        raise StartFailed(_sentence(error)) from error
    return conf


def _sentence(error: Exception) -> str:
    """Says what is wrong.  oslo.config would quote a line that can't be parsed, but it may hold a password."""
    cause = error.__context__
    if isinstance(error, cfg.ConfigFileParseError) and isinstance(cause, iniparser.ParseError):
        return f"{error.config_file}: line {cause.lineno}: {cause.msg}"
    if isinstance(error, UnicodeDecodeError):
        return f"a configuration file is not UTF-8 text: {error.reason} at byte {error.start}"
    return str(error)


OF_2017 = {
    "keystone_authtoken": "requests are not authenticated yet: take the section away, set [api] auth_strategy = "
    "noauth, and put a proxy that asks Keystone in front",
    "oslo_policy": "policies are not enforced yet: take the section away",
    "oslo_concurrency": "nothing reads it any more: take the section away",
}
"""Sections that a configuration of 2017 may have, and what to do about them."""

_LOG_FORMAT = "the format is fixed, or JSON with use_json = true: take it away"
OPTIONS_OF_2017 = {
    "verbose": "take it away: log_level and debug say what is logged",
    "log_dir": "write the whole path as log_file",
    "log_config_append": _LOG_FORMAT,
    "logging_context_format_string": _LOG_FORMAT,
    "logging_default_format_string": _LOG_FORMAT,
    "log_date_format": _LOG_FORMAT,
    "default_log_levels": "take it away: log_level and debug say what is logged",
    "use_syslog": "take it away: log to standard output, and let the supervisor pass it on",
    "use_stderr": "take it away: messages go to standard output or to log_file",
    "state_path": "take it away: write absolute paths",
}
"""Options of `[DEFAULT]` in 2017, and what to do about them."""


def refuse_unknown(conf: cfg.ConfigOpts, options: Mapping[str, Iterable[cfg.Opt]]) -> None:
    """Refuses a configuration file that names a section or an option that nothing reads.

    oslo.config ignores them, so a misspelled `host_list` would leave the default in force.

    Args:
        conf: the configuration that `read` returned.
        options: all known options by section, including those of the backends.

    Raises:
        StartFailed: names the file, and the option that may have been meant.
    """
    known = _known(options)
    for file in _files(conf):
        sections: dict[str, dict[str, Any]] = {}
        cfg.ConfigParser(file, sections).parse()
        for section, written in sections.items():
            if section in OF_2017 and section not in known:
                raise StartFailed(f"{file}: [{section}]: {OF_2017[section]}")
            if section not in known:
                raise StartFailed(f"{file}: there is no section [{section}]{_meant(section, known)}")
            for name in written:
                if section == "DEFAULT" and name in OPTIONS_OF_2017:
                    raise StartFailed(f"{file}: [DEFAULT] {name}: {OPTIONS_OF_2017[name]}")
                if name not in known[section]:
                    raise StartFailed(f"{file}: [{section}] has no option {name}{_meant(name, known[section])}")


def _known(options: Mapping[str, Iterable[cfg.Opt]]) -> dict[str, set[str]]:
    """The names by section, with the earlier names and sections of an option."""
    known: dict[str, set[str]] = {section: set() for section in options}
    for section, found in options.items():
        for option in found:
            known[section].add(option.dest)
            for old in option.deprecated_opts:
                known.setdefault(old.group or section, set()).add((old.name or option.dest).replace("-", "_"))
    return known


def _files(conf: cfg.ConfigOpts) -> Iterator[str]:
    yield from conf.config_file or ()
    for directory in conf.config_dirs:
        yield from map(str, sorted(Path(directory).expanduser().glob("*.conf")))


def _meant(name: str, known: Iterable[str]) -> str:
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
