"""Every fault of a model at once, for its author.

Loading a model ends at its first fault, and has to: the steps after it rely on the steps before.
To find the others, what is at fault is taken out of the document (or put right, where something
must be there), and the model is assembled again, until it is whole.  A fault that is only there
because of what was taken out is not told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from gluon.schema.declarations import FILE_VERSION, ModelFile, read_document
from gluon.schema.document import Section, load
from gluon.schema.errors import ModelError
from gluon.schema.parse import ReadImport, assemble, imported_text
from gluon.schema.types import Base, Proton

_MOST_PASSES = 1000
"""More faults than a person reads."""

_MAKE_AN_ATTRIBUTE = frozenset({"type", "primary", "references", "values"})
"""Properties that an attribute can't be itself without; the others are left out when they are at fault."""
_API_NAME_TAKEN = "is already an API name"
_MAKE_WHAT_IT_IS = frozenset({"format", "address", "repeats"})
"""Properties without which an attribute may not fit where it is named."""

Demands = Callable[[Proton], Iterable[ModelError]]


def _none(_: Proton) -> Iterable[ModelError]:
    return ()


def find_faults(file: str, text: str, read_import: ReadImport, further: Demands = _none) -> list[ModelError]:
    """All faults of a proton's model, in the order in which they were found.

    Args:
        file: its name, for messages.
        text: the file's YAML.
        read_import: as for `parse_proton`.
        further: what else is wrong with a proton that is right by the language; it is asked about what is left.
    """
    return _Search(read_import).run(file, text, further)


class _Search:
    """The documents of one model, which lose what is at fault."""

    def __init__(self, read_import: ReadImport) -> None:
        self._read_import = read_import
        self._documents: dict[str, Any] = {}
        self._objects: set[str] = set()
        """Objects that were taken out."""
        self._attributes: set[tuple[str, str]] = set()
        """Attributes that were taken out or made something else, with their objects."""
        self._standing_in: set[tuple[str, str]] = set()
        self._orphans: set[str] = set()
        """Objects of which nobody knows what they inherit."""
        self._info_is_made_up = False

    def run(self, file: str, text: str, further: Demands) -> list[ModelError]:
        found: list[ModelError] = []
        for _ in range(_MOST_PASSES):
            try:
                proton = assemble(self._read(file, lambda: text), self._read_imported)
            except ModelError as error:
                if not self._follows(error):
                    found.append(error)
                if not self._repair(error):
                    break
            else:
                return found + [error for error in further(proton) if not self._follows(error)]
        return found

    def _read(self, file: str, text: Any) -> ModelFile:
        if file not in self._documents:
            self._documents[file] = load(file, text())
        return read_document(file, self._documents[file])

    def _read_imported(self, importer: ModelFile, name: str) -> ModelFile:
        return self._read(name, lambda: imported_text(importer.name, name, self._read_import))

    # -- what follows from what was told -------------------------------------------------------

    def _follows(self, error: ModelError) -> bool:
        """Whether the fault is there only because of what was taken out."""
        # What would have been right names much that has nothing to do with the fault.
        message, name = error.message.partition("; expected")[0], error.object_name
        if _API_NAME_TAKEN in message:
            return False
        if name in self._objects or (name in self._orphans and _is_by_heritage(error)):
            return True
        if message.startswith("info: name"):
            return self._info_is_made_up
        if any(_names(message, each) for each in self._objects | self._orphans):
            return True
        if message.startswith("policies: "):
            return False  # They name no attribute.
        return any(_is_about(error, message, *each) for each in self._attributes)

    # -- taking out ----------------------------------------------------------------------------

    def _repair(self, error: ModelError) -> bool:
        """Takes out what is at fault; False where nothing can be."""
        document = self._documents.get(error.file)
        if not isinstance(document, Section):
            return False
        if not error.object_name:
            self._info_is_made_up = self._info_is_made_up or error.message.startswith("info")
            return _repair_document(document, error)
        objects = document.get("objects")
        if not isinstance(objects, Section) or error.object_name not in objects:
            return False
        if not self._repair_within(objects[error.object_name], error):
            del objects[error.object_name]
            self._objects.add(error.object_name)
        return True

    def _repair_within(self, section: Any, error: ModelError) -> bool:
        if not isinstance(section, Section):
            return False
        if error.attribute:
            return self._repair_attribute(section, error)
        return self._repair_heritage(section, error) or _repair_object(section, error)

    def _repair_heritage(self, section: Section, error: ModelError) -> bool:
        """Has the object extend what every proton has, so that its own faults are found."""
        if _property(error.message) != "extends" or error.object_name in self._orphans:
            return False
        self._orphans.add(error.object_name)
        section["extends"] = str(Base.OBJECT)
        return True

    def _repair_attribute(self, section: Section, error: ModelError) -> bool:
        attributes = section.get("attributes")
        name, here = error.attribute, (error.object_name, error.attribute)
        if not isinstance(attributes, Section) or name not in attributes:
            return False
        attribute, at_fault = attributes[name], _property(error.message)
        if isinstance(attribute, Section) and at_fault in attribute and at_fault not in _MAKE_AN_ATTRIBUTE:
            del attribute[at_fault]
            if at_fault in _MAKE_WHAT_IT_IS:
                self._attributes.add(here)
            return True
        self._attributes.add(here)
        if isinstance(attribute, Section) and here not in self._standing_in:
            self._standing_in.add(here)
            attributes[name] = _stand_in(attribute)
        else:
            del attributes[name]
        return True


def _names(message: str, word: str) -> bool:
    return re.search(rf"\b{re.escape(word)}\b", message) is not None


def _is_by_heritage(error: ModelError) -> bool:
    """Whether a base object that is unknown may be what is missing."""
    return not error.attribute or "type is missing" in error.message


def _is_about(error: ModelError, message: str, object_name: str, attribute: str) -> bool:
    """Whether the attribute, which was taken out or made something else, is what the fault is about."""
    if f'"{attribute}"' in message:
        return True
    if error.object_name != object_name:
        return False
    if error.attribute == attribute:
        return not _property(message)
    return _names(message, attribute)


def _stand_in(attribute: Section) -> Section:
    """A right attribute in the place of a wrong one."""
    made = Section()
    is_key = attribute.get("primary") is True
    made.update({"type": "uuid", "primary": True} if is_key else {"type": "string"})
    return made


def _repair_document(document: Section, error: ModelError) -> bool:
    key = _property(error.message)
    if key == "file_version":
        document["file_version"] = FILE_VERSION
    elif key == "info" or error.message.startswith("info "):
        info = Section()
        info.update({"name": "x", "version": "1.0"})
        is_new = document.get("info") != info
        document["info"] = info
        return is_new
    elif key in document and key != "imports":
        del document[key]
    else:
        return False  # Without what it imports, next to everything would be wrong.
    return True


def _repair_object(section: Section, error: ModelError) -> bool:
    first, _, rest = error.message.partition(": ")
    key = _property(error.message)
    if first == "api" and isinstance(section.get("api"), Section):
        return _repair_api(section["api"], rest, error.object_name)
    if error.message.startswith("unknown "):
        sections = [section, *(value for value in section.values() if isinstance(value, Section))]
        return any(each.pop(key, each) is not each for each in sections)
    inner = section.get(first)
    if first in ("rules", "policies") and isinstance(inner, Section):
        return inner.pop(rest.partition(": ")[0], inner) is not inner
    if key in section and key not in ("api", "extends"):
        del section[key]
        return True
    return False


def _repair_api(api: Section, message: str, object_name: str) -> bool:
    before = dict(api)
    if _API_NAME_TAKEN in message and "plural_name" not in api:
        api["name"] = f"{object_name.lower().replace('_', '-')[:50]}-stand-in"
    elif message.startswith("parent"):
        api.pop("parent", None)
        api.pop("parent_key", None)
    elif message.startswith("plural_name") or "plural_name" in api:
        api.pop("plural_name", None)
    return dict(api) != before


def _property(message: str) -> str:
    """The property that a message is about: before its colon, or quoted as an unknown one; empty: none."""
    unknown = re.match(r'unknown (?:top-level key|property|operation)[^"]*"([^"]*)"', message)
    if unknown:
        return unknown[1]
    named = re.match(r"([a-z_]+): ", message)
    return named[1] if named else ""
