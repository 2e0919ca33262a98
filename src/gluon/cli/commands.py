"""The commands: five for every resource, `proton-list` and `help`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from cliff import command, lister, show
from cliff.app import App
from cliff.help import HelpCommand

from gluon.cli import attribute_options as options
from gluon.cli import names
from gluon.cli.columns import all_columns, check_columns, row, short_columns, sort_rows
from gluon.cli.output import CSVLister, ShellFormatter
from gluon.contract.rest import Resource
from gluon.schema import Value
from gluon.sdk import Client, ClientError, RequestRefused, UsageError
from gluon.terminal import escaped


class PartlyDone(Exception):
    """Some of several objects were deleted and others not; each failure was said when it happened."""


class BaseCommand(command.Command):
    """A command that talks to one proton-server."""

    # An attribute whose option meets one of cliff's gets another name, not a warning.
    conflict_handler = "error"
    client: ClassVar[Client]

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's own options, taken by their full name only."""
        parser = super().get_parser(prog_name)
        parser.allow_abbrev = False
        needed = self.add_arguments(parser)
        parser.usage = " ".join([prog_name, *needed, "[options]"]).replace("%", "%%")
        return parser

    def add_arguments(self, parser: argparse.ArgumentParser) -> Sequence[str]:  # noqa: ARG002 - for subclasses
        """Adds the arguments of the command; returns those that must be given, as the usage shows them."""
        return ()

    def get_epilog(self) -> str:
        """None: cliff would read the metadata of every installed package to write one."""
        return ""


class ResourceCommand(BaseCommand):
    """A command on one resource; `commands_of` makes one for each."""

    resource: ClassVar[Resource]

    def known_columns(self) -> list[str]:
        """The columns that the command can show."""
        return all_columns(self.resource)

    def add_key(self, parser: argparse.ArgumentParser) -> str:
        """Asks for the object's key; returns how the usage shows it."""
        shown = f"<{self.resource.primary_key}>"
        parser.add_argument("key", metavar=shown, type=options.unicode_text, help=self.key_help())
        return shown

    def key_help(self) -> str:
        """Says what stands for an object."""
        name = self.resource.resource_name
        has_name = any(attribute.name == "name" for attribute in self.resource.attributes)
        return f"key of the {name}" + (", or its name where no other one has it" if has_name else "")

    def key(self, text: str) -> str:
        """The key of the object that the argument names."""
        return names.key_of(self.client, self.resource, text)

    def given(self, arguments: argparse.Namespace) -> dict[str, Value]:
        """The attributes that the command line gives."""
        return names.with_keys(self.client, self.resource, options.given(arguments))


class ShowCommand(ResourceCommand, show.ShowOne):
    """A command whose result is one object."""

    def _load_formatter_plugins(self) -> Any:
        plugins = super()._load_formatter_plugins()
        plugins["shell"].obj = ShellFormatter()
        return plugins

    def result(
        self, arguments: argparse.Namespace, attributes: dict[str, Value]
    ) -> tuple[Sequence[str], Sequence[Any]]:
        """The object, in the model's order, then the members that the schema doesn't list."""
        columns = self.known_columns()
        columns += [name for name in attributes if name not in columns]
        return columns, row(attributes, columns, arguments.formatter)

    def check(self, arguments: argparse.Namespace) -> None:
        """Refuses unknown columns before anything is sent."""
        check_columns(arguments.columns, self.known_columns())


class Create(ShowCommand):
    """`<name>-create`."""

    def get_epilog(self) -> str:
        """The rules that the object has to keep beside those of its attributes."""
        return options.rules(self.resource)

    def add_arguments(self, parser: argparse.ArgumentParser) -> Sequence[str]:
        """One option for each attribute that isn't read-only."""
        settable = options.settable(self.resource)
        options.add_attribute_options(parser, settable, creating=True)
        return [f"--{a.name} <{options.placeholder(a)}>" for a in settable if a.must_be_given]

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Sequence[Any]]:
        """Creates the object and shows it."""
        self.check(parsed_args)
        attributes = self.client.create(self.resource.resource_name, self.given(parsed_args))
        return self.result(parsed_args, attributes)


class Show(ShowCommand):
    """`<name>-show`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> Sequence[str]:
        """The key."""
        return [self.add_key(parser)]

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Sequence[Any]]:
        """Shows the object."""
        self.check(parsed_args)
        return self.result(parsed_args, self.client.show(self.resource.resource_name, self.key(parsed_args.key)))


class Update(ShowCommand):
    """`<name>-update`."""

    def get_epilog(self) -> str:
        """The rules that the object has to keep beside those of its attributes."""
        return options.rules(self.resource)

    def add_arguments(self, parser: argparse.ArgumentParser) -> Sequence[str]:
        """The key, `--unset`, and one option for each attribute that may change."""
        key = self.add_key(parser)
        changeable = options.changeable(self.resource)
        parser.add_argument(
            "--unset",
            dest="unset",
            metavar="<attribute>",
            action="append",
            default=[],
            type=lambda text: text.replace("-", "_"),
            choices=[a.name for a in changeable if not a.never_null],
            help="set an attribute to null; can be repeated",
        )
        options.add_attribute_options(parser, changeable)
        return [key]

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Sequence[Any]]:
        """Changes the object and shows it."""
        self.check(parsed_args)
        given = options.given(parsed_args)
        for name in parsed_args.unset:
            if given.get(name) is not None:
                raise UsageError(f"{name} is both given and unset; do one of them")
        if not given and not parsed_args.unset:
            raise UsageError("nothing to change: give an attribute's new value, or --unset <attribute>")
        changed = {**self.given(parsed_args), **dict.fromkeys(parsed_args.unset)}
        attributes = self.client.update(self.resource.resource_name, self.key(parsed_args.key), changed)
        return self.result(parsed_args, attributes)


class Delete(ResourceCommand):
    """`<name>-delete`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> Sequence[str]:
        """The keys."""
        shown = f"<{self.resource.primary_key}>"
        parser.add_argument("keys", metavar=shown, nargs="+", type=options.unicode_text, help=self.key_help())
        return [f"{shown} [{shown} ...]"]

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Deletes the objects, each of them even though another one can't be.

        Raises:
            ClientError: none was deleted.
            PartlyDone: some were.
        """
        # All names first: a mistake in one of them is found before anything is deleted.
        keys = list(dict.fromkeys(self.key(text) for text in parsed_args.keys))
        failures = [error for key in keys if (error := self._delete(key))]
        if not failures:
            return
        for error in failures[:-1]:
            self.app.LOG.error(error)
        if len(failures) == len(keys):
            raise _worst(failures)
        self.app.LOG.error(failures[-1])
        raise PartlyDone(f"{len(keys) - len(failures)} of {len(keys)} were deleted")

    def _delete(self, key: str) -> ClientError | None:
        name = self.resource.resource_name
        try:
            self.client.delete(name, key)
        except ClientError as error:
            return error
        if self.app.options.verbose_level:
            self.app.stdout.write(f"Deleted {name} {escaped(key)}\n")
        return None


def _worst(failures: Sequence[ClientError]) -> ClientError:
    """The one whose exit code holds for all of them: whoever got no answer can't say that nothing changed."""
    unsure = [error for error in failures if not isinstance(error, RequestRefused | UsageError)]
    return unsure[-1] if unsure else failures[-1]


class ListCommand(BaseCommand, lister.Lister):
    """A command whose result is a table."""

    # cliff sorts the cells that are shown, and stops at the first null among numbers.
    need_sort_by_cliff = False

    def _load_formatter_plugins(self) -> Any:
        plugins = super()._load_formatter_plugins()
        plugins["csv"].obj = CSVLister()
        return plugins

    def result(
        self,
        arguments: argparse.Namespace,
        objects: list[dict[str, Value]],
        columns: Sequence[str],
    ) -> tuple[Sequence[str], list[Any]]:
        """The rows, sorted as asked."""
        sort_rows(objects, arguments.sort_columns, descending=arguments.sort_direction == "desc")
        return columns, [row(o, columns, arguments.formatter) for o in objects]

    def produce_output(self, parsed_args: argparse.Namespace, column_names: Sequence[str], data: Any) -> int:
        """Writes the table; in place of an empty one, that there is nothing."""
        if not data and parsed_args.formatter == "table" and not parsed_args.print_empty:
            self.app.stdout.write(f"There are no {self.items}.\n")
            return 0
        result: int = super().produce_output(parsed_args, column_names, data)
        return result

    @property
    def items(self) -> str:
        """The name of what is listed, in the plural."""
        return "protons"


class List(ResourceCommand, ListCommand):
    """`<name>-list`."""

    @property
    def items(self) -> str:
        """The name of the collection."""
        return self.resource.plural_name

    def add_arguments(self, parser: argparse.ArgumentParser) -> Sequence[str]:
        """`--long`, `--limit`, `--marker`, and one filter an attribute."""
        parser.add_argument("--long", action="store_true", help="show all attributes")
        parser.add_argument(
            "--limit", metavar="<n>", type=_limit, action=options.Once, help="at most so many; default all"
        )
        parser.add_argument(
            "--marker",
            metavar="<key>",
            type=options.unicode_text,
            action=options.Once,
            help="only those after this key",
        )
        options.add_attribute_options(parser, options.filterable(self.resource))
        return ()

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], list[Any]]:
        """Lists the objects, sorted by key unless told otherwise."""
        known = self.known_columns()
        check_columns([*parsed_args.columns, *parsed_args.sort_columns], known)
        objects = self.client.list(
            self.resource.resource_name,
            limit=parsed_args.limit,
            marker=parsed_args.marker,
            **self.given(parsed_args),
        )
        everything = parsed_args.long or parsed_args.columns
        return self.result(parsed_args, objects, known if everything else short_columns(self.resource))


class ProtonList(ListCommand):
    """`proton-list`."""

    _description = "List the protons that the server serves"

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], list[Any]]:
        """Lists them, with their status and URL."""
        columns = ("name", "status", "url")
        check_columns([*parsed_args.columns, *parsed_args.sort_columns], columns)
        protons: list[dict[str, Value]] = [
            {"name": p.proton_service, "status": p.status, "url": p.links[0].href if p.links else None}
            for p in self.client.protons()
        ]
        return self.result(parsed_args, protons, columns)


class Help(HelpCommand):
    """`help`."""

    _description = "List the commands, or describe one"

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Shows the help of one command, or of the program and the list of all."""
        if parsed_args.cmd:
            check_command(self.app, parsed_args.cmd)
            return super().take_action(parsed_args)
        write_help(self.app)
        return 0


def write_help(app: App) -> None:
    """Writes the program's own help and the list of commands.

    cliff's would create every command, with its plug-ins, for its description.
    """
    app.parser.print_help(app.stdout)
    commands = {name: entry.load()._description for name, entry in app.command_manager}  # noqa: SLF001 - cliff's way
    width = max(map(len, commands))
    app.stdout.write("\ncommands:\n")
    for name, description in sorted(commands.items()):
        app.stdout.write(f"  {name:<{width}}  {description}\n")


def commands_of(resource: Resource, client: Client) -> Iterator[tuple[str, type[command.Command]]]:
    """The five commands of a resource, by name."""
    article = "an" if resource.resource_name[0] in "aeiou" else "a"
    descriptions: dict[type[ResourceCommand], str] = {
        Create: "Create {0}",
        List: "List {1}",
        Show: "Show {0}",
        Update: "Change attributes of {0}",
        Delete: "Delete {0}",
    }
    for kind, text in descriptions.items():
        description = text.format(f"{article} {resource.resource_name}", resource.plural_name)
        yield f"{resource.resource_name}-{kind.__name__.lower()}", command_for(kind, description, resource, client)


def command_for(
    kind: type[ResourceCommand], description: str, resource: Resource, client: Client
) -> type[command.Command]:
    """The command for one resource of one server; cliff wants a class that it can create itself."""
    members = {"__module__": __name__, "_description": description, "client": client, "resource": resource}
    return type(kind.__name__, (kind,), members)


def check_command(app: App, words: Sequence[str]) -> None:
    """Refuses a command that doesn't exist.

    Raises:
        UsageError: names the commands that come closest.
    """
    # Exactly: cliff would also run a command that only begins like this, a delete included.
    if words[0] in (name for name, _ in app.command_manager):
        return
    matches = app.get_fuzzy_matches(words[0])
    matches = [m for m in matches if m.startswith(words[0])] or matches
    suggestions = "".join(f"\n  {m}" for m in sorted(matches))
    raise UsageError(f"no command {words[0]!r}; 'protonclient help' lists them all.  Did you mean:{suggestions}")


def _limit(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,18}", text):
        raise argparse.ArgumentTypeError(f"expected an integer above 0, got {text!r}")
    return int(text)
