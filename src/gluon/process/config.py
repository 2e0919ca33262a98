"""How configuration files are read, and the options of logging."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oslo_config import cfg

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


def read(program: str, options: Mapping[str, Sequence[cfg.Opt]], argv: Sequence[str] | None) -> Any:
    """Reads the command line and the files that `--config-file` names.

    Args:
        program: the program's name, for usage and for the default files of oslo.config.
        options: by group; `DEFAULT` is the group of options without a section.
        argv: the arguments; None for those of this process.

    Returns:
        The oslo.config namespace, e.g. `.api.port`.

    Raises:
        SystemExit: wrong usage (argparse), after it said what is wrong.
        cfg.Error: a file that is missing or can't be parsed, a value that an option refuses.
    """
    conf = cfg.ConfigOpts()
    for group, opts in options.items():
        conf.register_opts(opts, group=None if group == "DEFAULT" else group)
    conf(args=argv, project="gluon", prog=program)
    for group, opts in options.items():
        section = conf if group == "DEFAULT" else conf[group]
        for opt in opts:
            getattr(section, opt.dest)  # oslo.config checks a value when it is read: read all now.
    return conf


def refuse_unknown(conf: Any, options: Mapping[str, Iterable[cfg.Opt]]) -> None:
    """Refuses a configuration file that names a section or an option that nothing reads.

    oslo.config passes over them: a misspelled `host_list` would leave its default in force.

    Args:
        conf: what `read` returned.
        options: everything that is known, by section, the backends' own included.

    Raises:
        StartFailed: names the file, and what may have been meant.
    """
    known = {section: {option.dest for option in found} for section, found in options.items()}
    for file in conf.config_file or ():
        sections: dict[str, dict[str, Any]] = {}
        cfg.ConfigParser(file, sections).parse()
        for section, written in sections.items():
            if section not in known:
                raise StartFailed(f"{file}: there is no section [{section}]{_meant(section, known)}")
            for name in written:
                if name.replace("-", "_") not in known[section]:
                    raise StartFailed(f"{file}: [{section}] has no option {name}{_meant(name, known[section])}")


def _meant(name: str, known: Iterable[str]) -> str:
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
