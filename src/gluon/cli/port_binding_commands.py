"""The commands on the bindings of a port: a live migration by hand."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cliff.command import Command

from gluon.cli import attribute_options as options
from gluon.cli.columns import check_columns
from gluon.cli.commands import ListCommand, ResourceCommand, ShowCommand, command_for
from gluon.contract.rest import PortBinding, Resource
from gluon.schema import Value
from gluon.sdk import Client
from gluon.terminal import escaped

SHORT_COLUMNS = ("host", "status", "vif_type", "vnic_type", "status_reason")
SETTABLE = ("vnic_type", "profile")
"""The attributes of a port that each of its bindings has of its own."""


class _OfAPort(ResourceCommand):
    """A command on the bindings of one port."""

    def known_columns(self) -> list[str]:
        """The members of a binding, in the contract's order."""
        return list(PortBinding.__struct_fields__)

    def add_host(self, parser: argparse.ArgumentParser) -> str:
        """Asks for the host; returns how the usage shows it."""
        parser.add_argument("bound_host", metavar="<host>", type=options.unicode_text, help="host of the binding")
        return "<host>"


class _OfAHost(_OfAPort):
    """A command on one binding."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> Sequence[str]:
        """The port's key and the host."""
        return [self.add_key(parser), self.add_host(parser)]


class PortBindingCreate(_OfAHost, ShowCommand):
    """`port-binding-create`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> Sequence[str]:
        """The port's key, the host, and options for the members that a caller sets."""
        needed = super().add_arguments(parser)
        options.add_attribute_options(parser, [a for a in self.resource.attributes if a.name in SETTABLE])
        return needed

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Sequence[Any]]:
        """Prepares the port on the host and shows the binding."""
        self.check(parsed_args)
        given: Mapping[str, Any] = options.given(parsed_args)
        binding = self.client.create_port_binding(self.key(parsed_args.key), parsed_args.bound_host, **given)
        return self.result(parsed_args, binding)


class PortBindingShow(_OfAHost, ShowCommand):
    """`port-binding-show`."""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Sequence[Any]]:
        """Shows the binding."""
        self.check(parsed_args)
        return self.result(
            parsed_args, self.client.show_port_binding(self.key(parsed_args.key), parsed_args.bound_host)
        )


class PortBindingActivate(_OfAHost, ShowCommand):
    """`port-binding-activate`."""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Sequence[Any]]:
        """Activates the binding and shows it."""
        self.check(parsed_args)
        return self.result(
            parsed_args, self.client.activate_port_binding(self.key(parsed_args.key), parsed_args.bound_host)
        )


class PortBindingDelete(_OfAHost):
    """`port-binding-delete`."""

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Removes the binding."""
        port, host = self.key(parsed_args.key), parsed_args.bound_host
        self.client.delete_port_binding(port, host)
        if self.app.options.verbose_level:
            self.app.stdout.write(f"Deleted the binding of {self.resource.resource_name} {port} to {escaped(host)}\n")


class PortBindingList(_OfAPort, ListCommand):
    """`port-binding-list`."""

    @property
    def items(self) -> str:
        """The name of the collection."""
        return "bindings"

    def add_arguments(self, parser: argparse.ArgumentParser) -> Sequence[str]:
        """The port's key, and `--long`."""
        key = self.add_key(parser)
        parser.add_argument("--long", action="store_true", help="show all members")
        return [key]

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], list[Any]]:
        """Lists the bindings, sorted by host unless told otherwise."""
        known = self.known_columns()
        check_columns([*parsed_args.columns, *parsed_args.sort_columns], known)
        bindings: list[dict[str, Value]] = self.client.list_port_bindings(self.key(parsed_args.key))
        everything = parsed_args.long or parsed_args.columns
        return self.result(parsed_args, bindings, known if everything else SHORT_COLUMNS)


_COMMANDS: Mapping[str, tuple[type[ResourceCommand], str]] = {
    "create": (PortBindingCreate, "Prepare a {0} on a further host, for a live migration"),
    "list": (PortBindingList, "List the bindings of a {0}"),
    "show": (PortBindingShow, "Show the binding of a {0} to a host"),
    "activate": (PortBindingActivate, "Make the binding of a {0} to a host the active one"),
    "delete": (PortBindingDelete, "Delete the binding of a {0} to a host"),
}


def port_binding_commands(resource: Resource, client: Client) -> Iterator[tuple[str, type[Command]]]:
    """The five commands on bindings, by name; none for a resource that isn't the proton's port."""
    if not resource.is_port:
        return
    name = resource.resource_name
    for verb, (kind, description) in _COMMANDS.items():
        yield f"{name}-binding-{verb}", command_for(kind, description.format(name), resource, client)
