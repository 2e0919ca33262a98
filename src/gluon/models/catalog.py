"""Finds the protons, shipped ones and those in an operator's model directories, and loads them.

A model directory holds a folder for each proton, named like it, with its model in `api.yaml`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from gluon.schema import ModelError, Proton, find_faults, parse_proton

ALL = "*"
"""Stands for all protons."""

MODEL_FILE = "api.yaml"

SHIPPED = Path(__file__).parent
"""The model directory of this package."""


def available(model_dirs: Sequence[Path] = ()) -> list[str]:
    """Names of all protons that can be loaded, sorted.

    Raises:
        ModelError: a model directory can't be read, or two models have the same name.
    """
    return sorted(_find(model_dirs))


def load(names: Sequence[str], model_dirs: Sequence[Path] = ()) -> dict[str, Proton]:
    """Loads protons.

    Args:
        names: the names of the protons; `*` stands for all.
        model_dirs: directories of models, searched in addition to the shipped ones.

    Returns:
        The protons by name, in the order of `names`, those of `*` sorted.

    Raises:
        ModelError: a name that no model has, two models of the same name, a file that can't
            be read, or a model that breaks a rule of the language.
    """
    files = _find(model_dirs)
    wanted: dict[str, None] = {}
    for name in names:
        if name != ALL and name not in files:
            where = ", ".join(str(directory) for directory in (SHIPPED, *model_dirs))
            raise ModelError(f"no such proton; available: {', '.join(sorted(files))} (in {where})", file=name)
        wanted.update(dict.fromkeys(sorted(files) if name == ALL else [name]))
    return {name: _load(name, files[name]) for name in wanted}


def faults(file: Path, further: Callable[[Proton], Iterable[ModelError]]) -> list[ModelError]:
    """All faults of one model at once; a load ends at the first one.

    Args:
        file: an `api.yaml` in the folder of its proton.
        further: what else is wrong with a proton that is right by the modelling language.
    """
    name = file.resolve().parent.name

    def demands(proton: Proton) -> Iterator[ModelError]:
        if proton.name != name:
            yield _misnamed(file, name, proton)
        yield from further(proton)

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        return [ModelError(f"cannot read the model: {error}", file=str(file))]
    found = find_faults(str(file), text, lambda imported: _read_import(file, imported), demands)
    shipped = SHIPPED / name / MODEL_FILE
    if shipped.exists() and shipped != file.resolve():
        found.append(ModelError(f"a proton of this name is already in {shipped}; rename this one", file=str(file)))
    return found


def _find(model_dirs: Sequence[Path]) -> dict[str, Path]:
    """The model file of every proton, by name."""
    files: dict[str, Path] = {}
    for directory in dict.fromkeys((SHIPPED, *model_dirs)):
        try:
            found = sorted(directory.glob(f"*/{MODEL_FILE}")) if directory.is_dir() else None
        except OSError as error:
            raise ModelError(f"cannot read the model directory: {error}", file=str(directory)) from error
        if found is None:
            raise ModelError("not a directory; model_dirs names directories of models", file=str(directory))
        for file in found:
            other = files.setdefault(file.parent.name, file)
            if other != file:
                raise ModelError(f"a proton of this name is already in {other}; rename one of them", file=str(file))
    return files


def _load(name: str, file: Path) -> Proton:
    def read_import(imported: str) -> str:
        return _read_import(file, imported)

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read the model: {error}", file=str(file)) from error
    proton = parse_proton(str(file), text, read_import)
    if proton.name != name:
        raise _misnamed(file, name, proton)
    return proton


def _misnamed(file: Path, name: str, proton: Proton) -> ModelError:
    return ModelError(f"info: name: expected {name} as the folder is called, got {proton.name}", file=str(file))


def _read_import(importer: Path, imported: str) -> str:
    """Reads a file from the proton's own folder, its model directory, or the shipped models."""
    folders = dict.fromkeys((importer.parent, importer.parent.parent, SHIPPED))
    for folder in folders:
        candidate = folder / imported
        if candidate.is_file():
            return candidate.read_text(encoding="utf-8")
    raise FileNotFoundError(f"no such file in {', '.join(str(folder) for folder in folders)}")
