"""A model's text to a Proton: read, import, merge, resolve, check.

The steps are modules of their own: `declarations` (one file), `inheritance` (extends),
`left_out` (a port or an interface that is not declared), `resolve` (types and references) and
`rules` (the proton as a whole).
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from gluon.schema import rules
from gluon.schema.checks import show
from gluon.schema.declarations import ModelFile, ObjectDeclaration, Place, read_file
from gluon.schema.inheritance import merge
from gluon.schema.left_out import left_out
from gluon.schema.resolve import resolve
from gluon.schema.types import Proton

ReadImport = Callable[[str], str]
ReadImported = Callable[[ModelFile, str], ModelFile]


def parse_proton(name_of_file: str, text: str, read_import: ReadImport) -> Proton:
    """Reads one proton.

    Args:
        name_of_file: for messages.
        text: the file's YAML.
        read_import: returns the text of an imported file, given its name in `imports`; raises
            OSError or ValueError when it can't.

    Raises:
        ModelError: the model breaks a rule of the language; the message names file, line,
            object and attribute, and says what was expected.
    """

    def read_imported(importer: ModelFile, name: str) -> ModelFile:
        return read_file(name, imported_text(importer.name, name, read_import))

    return assemble(read_file(name_of_file, text), read_imported)


def assemble(file: ModelFile, read_imported: ReadImported) -> Proton:
    """Makes the proton of a file that is read.

    Args:
        file: the proton's own.
        read_imported: reads a file that the given one imports under a name.

    Raises:
        ModelError: as `parse_proton`.
    """
    place = Place(file.name)
    if file.info is None:
        raise place.error("info is missing; expected name and version")
    declared = _collect(file, read_imported)
    merged = merge(declared)
    if added := left_out(file.name, declared, merged):
        merged = merge({**declared, **added})
    rules.check_names(merged)
    objects = resolve(merged)
    rules.check_parents(merged, objects)
    rules.check_bases(place, merged, objects)
    return Proton(info=file.info, objects=MappingProxyType(objects))


def _collect(file: ModelFile, read_imported: ReadImported) -> dict[str, ObjectDeclaration]:
    """The objects of the file and of everything that it imports, imported ones first."""
    collected: dict[str, ObjectDeclaration] = {}
    for imported in _imported(file, read_imported):
        for declaration in imported.objects.values():
            if declaration.api is not None:
                raise declaration.place.error("an imported file holds base objects only; take api away")
            _add(collected, declaration)
    for declaration in file.objects.values():
        _add(collected, declaration)
    return collected


def _add(collected: dict[str, ObjectDeclaration], declaration: ObjectDeclaration) -> None:
    other = collected.setdefault(declaration.name, declaration)
    if other is not declaration:
        raise declaration.place.error(
            f"already defined in {other.place.file}, line {other.place.line}; choose another name"
        )


def _imported(file: ModelFile, read_imported: ReadImported) -> list[ModelFile]:
    """Every imported file once, however often it is imported."""
    files: dict[str, ModelFile] = {}
    todo: list[tuple[ModelFile, tuple[str, ...]]] = [(file, (name,)) for name in reversed(file.imports)]
    while todo:
        importer, path = todo.pop()
        name = path[-1]
        if name in path[:-1]:
            raise Place(importer.name).error(f"imports: cycle {' -> '.join(path)}")
        if name not in files:
            imported = files[name] = read_imported(importer, name)
            todo.extend((imported, (*path, inner)) for inner in reversed(imported.imports))
    return list(files.values())


def imported_text(importer: str, name: str, read_import: ReadImport) -> str:
    """The text of an imported file.

    Raises:
        ModelError: names the file that imports it.
    """
    try:
        return read_import(name)
    except (OSError, ValueError) as error:
        raise Place(importer).error(f"imports: cannot read {show(name)}: {error}") from error
