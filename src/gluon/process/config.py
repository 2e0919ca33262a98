"""Reads configuration files; the options of logging."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from oslo_config import cfg, iniparser

from gluon.process.run import StartFailed

LOG_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "log_level",
        default="INFO",
        choices=["DEBUG", "INFO", "WARNING", "ERROR"],
        ignore_case=True,
        help="The least severe messages that are logged, to standard output.",
    ),
]


def read(program: str, options: Mapping[str, Sequence[cfg.Opt]], argv: Sequence[str] | None) -> cfg.ConfigOpts:
    """Reads the command line and the files that `--config-file` and `--config-dir` name.

    Args:
        program: the program's name, for usage and for the default files of oslo.config.
        options: by group; `DEFAULT` is the group of options without a section.
        argv: the arguments; None for those of this process.

    Returns:
        The oslo.config namespace, e.g. `.api.port`.

    Raises:
        SystemExit: wrong usage, after a message.
        StartFailed: a file that is missing or can't be parsed, a value that an option refuses.
    """
    conf = cfg.ConfigOpts()
    for group, opts in options.items():
        conf.register_opts(opts, group=None if group == "DEFAULT" else group)
    try:
        conf(args=argv, project="gluon", prog=program)
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


def refuse_unknown(conf: cfg.ConfigOpts, options: Mapping[str, Iterable[cfg.Opt]]) -> None:
    """Refuses a configuration file that names a section or an option that nothing reads.

    oslo.config ignores them, so a misspelled `host_list` would leave the default in force.

    Args:
        conf: the configuration that `read` returned.
        options: all known options by section, including those of the backends.

    Raises:
        StartFailed: names the file, and the option that may have been meant.
    """
    known = {section: {option.dest for option in found} for section, found in options.items()}
    for file in _files(conf):
        sections: dict[str, dict[str, Any]] = {}
        cfg.ConfigParser(file, sections).parse()
        for section, written in sections.items():
            if section not in known:
                raise StartFailed(f"{file}: there is no section [{section}]{_meant(section, known)}")
            for name in written:
                if name.replace("-", "_") not in known[section]:
                    raise StartFailed(f"{file}: [{section}] has no option {name}{_meant(name, known[section])}")


def _files(conf: cfg.ConfigOpts) -> Iterator[str]:
    yield from conf.config_file or ()
    for directory in conf.config_dirs:
        yield from map(str, sorted(Path(directory).expanduser().glob("*.conf")))


def _meant(name: str, known: Iterable[str]) -> str:
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
