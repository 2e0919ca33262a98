"""Writes the files that are made from code, or checks that they are up to date (`--check`)."""

from __future__ import annotations

import ast
import inspect
import io
import re
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

from oslo_config import cfg, generator

from gluon.proton import options as proton_options
from gluon.shim import backend
from gluon.shim import options as shim_options
from gluon.shim.backend import Object
from gluon.shim.plan import Callback
from proton_pages import PROTONS, proton_page
from reference_pages import metrics_page, rest_page
from rules_page import rules_page

MADE = "made by `make generate`"


def sample(namespace: str) -> str:
    """A sample configuration file with every option of a program."""
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    conf(["--namespace", namespace, "--wrap-width", "98"], project="gluon", prog="generate")
    written = io.StringIO()
    generator.generate(conf, output_file=written)
    return written.getvalue().replace(" - <No description provided>", "")


def options_page() -> str:
    """The reference of all options."""
    lines = ["# Options", "", f"This page is {MADE}. The samples are `etc/proton.conf` and `etc/proton-shim.conf`.", ""]
    for program, listed in (
        ("proton-server and gluon-manage", proton_options.list_opts()),
        ("proton-shim-server", shim_options.list_opts()),
    ):
        lines += [f"## {program}", ""]
        for section, found in listed:
            lines += [f"### [{section}]", "", "| option | default | meaning |", "|---|---|---|"]
            lines += [_option_row(option) for option in found]
            lines.append("")
    return "\n".join(lines)


def _option_row(option: cfg.Opt) -> str:
    default = option.default
    shown = ",".join(map(str, default)) if isinstance(default, list) else default
    if isinstance(default, dict):
        shown = ",".join(f"{key}:{value}" for key, value in default.items())
    shown = "" if shown in ("", None) else f"`{shown}`"
    meaning = " ".join((option.help or "").split())
    choices = getattr(option.type, "choices", None)
    if choices:
        meaning += f" One of {', '.join(choices)}."
    return f"| `{option.dest}` | {shown} | {meaning} |"


def callbacks_page() -> str:
    """The reference of the backend port."""
    lines = ["# Callbacks of a backend", "", f"This page is {MADE} from `gluon.shim.backend`.", ""]
    lines += [inspect.cleandoc(backend.__doc__ or ""), ""]
    for title, names in (
        ("Life", ("start", "stop")),
        ("Callbacks", tuple(Callback)),
        ("Questions", ("inventory", "fingerprint", "health")),
    ):
        lines += [f"## {title}", ""]
        for name in names:
            method = getattr(backend.Backend, name)
            lines += [f"### `{name}{_signature(method)}`", "", _text(method), ""]
    lines += ["## Context", "", _text(backend.Context), "", *_assigned(backend.Context), ""]
    for method in (backend.Context.report, backend.Context.lost):
        lines += [f"### `context.{method.__name__}{_signature(method)}`", "", _text(method), ""]
    lines += ["## Model", "", _text(backend.Model), "", "`len(model)`, `key in model` and `for key in model` work.", ""]
    lines += _public(backend.Model, "model")
    lines += ["## Object", "", _text(Object), "", "`obj[name]` is the value of an attribute.", "", *_fields(Object), ""]
    lines += _public(Object, "obj")
    lines += ["## Values", ""]
    for value in (backend.Binding, backend.Held, backend.CallContext):
        lines += [f"### `{value.__name__}`", "", _text(value), "", *_fields(value), ""]
    lines += ["## Exceptions", ""]
    for error in (backend.RetryLater, backend.Refused):
        lines += [f"### `{error.__name__}{_signature(error.__init__)}`", "", _text(error), ""]
    return "\n".join(lines)


def _public(owner: type, instance: str) -> list[str]:
    """Methods and properties with their types, in the order of the source."""
    lines = []
    for name, member in vars(owner).items():
        if name.startswith("_") or not (inspect.isfunction(member) or isinstance(member, property)):
            continue
        getter = member.fget if isinstance(member, property) else member
        assert getter is not None
        returns = inspect.signature(getter).return_annotation
        shown = f": {returns}" if isinstance(member, property) else _signature(getter)
        lines += [f"### `{instance}.{name}{shown}`", "", _text(getter), ""]
    return lines


def _assigned(owner: type) -> list[str]:
    """What `__init__` gives an instance, with the docstrings below each assignment."""
    [definition] = ast.parse(inspect.getsource(owner)).body
    assert isinstance(definition, ast.ClassDef)
    [init] = [each for each in definition.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
    types = {argument.arg: ast.unparse(argument.annotation) for argument in init.args.kwonlyargs if argument.annotation}
    lines = []
    for assignment, below in pairwise(init.body):
        if isinstance(assignment, ast.Assign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            name = ast.unparse(assignment.targets[0]).removeprefix("self.")
            lines.append(f"* `{name}: {types[name]}`: {' '.join(str(below.value.value).split())}")
    return lines


def _fields(value: type) -> list[str]:
    """The fields of a class with their types and the docstrings below them, which only its source has."""
    [definition] = ast.parse(inspect.getsource(value)).body
    assert isinstance(definition, ast.ClassDef)
    lines = []
    for field, below in pairwise([*definition.body, ast.Pass()]):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            said = below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else ""
            default = f" = {ast.unparse(field.value)}" if field.value else ""
            shown = f"`{field.target.id}: {ast.unparse(field.annotation)}{default}`"
            lines.append(f"* {shown}: {' '.join(str(said).split())}".removesuffix(": "))
    return lines


def _text(method: object) -> str:
    """The docstring in Markdown: its sections are lists."""
    text = inspect.getdoc(method) or ""
    text = re.sub(r"^(Args|Raises|Returns):$", r"\1:\n", text, flags=re.MULTILINE)
    return re.sub(r"^    (?=\S)", "* ", text, flags=re.MULTILINE)


def _signature(method: Callable[..., object]) -> str:
    """The parameters with their types, and what is returned."""
    signature = inspect.signature(method)
    parameters = list(signature.parameters.values())[1:]
    shown = str(signature.replace(parameters=parameters)).replace("'", "")
    return shown.removesuffix(" -> None")


FILES: dict[str, Callable[[], str]] = {
    "etc/proton.conf": lambda: sample("gluon.proton"),
    "etc/proton-shim.conf": lambda: sample("gluon.shim"),
    "docs/reference/options.md": options_page,
    "docs/reference/callbacks.md": callbacks_page,
    "docs/reference/rules.md": lambda: rules_page(MADE),
    "docs/reference/rest.md": lambda: rest_page(MADE),
    "docs/reference/metrics.md": lambda: metrics_page(MADE),
    **{f"docs/reference/protons/{name}.md": partial(proton_page, name, MADE) for name in PROTONS},
}


def main() -> int:
    """Writes or checks all of them."""
    stale = []
    for name, make in FILES.items():
        file, text = Path(name), make().rstrip() + "\n"
        if file.exists() and file.read_text() == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    if stale and "--check" in sys.argv:
        print(f"out of date: {', '.join(stale)}; run `make generate` and commit the result")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
