"""`complete`: the completion script for bash, which needs nothing but bash."""

from __future__ import annotations

import argparse

from cliff.complete import CompleteBash, CompleteCommand, CompleteDictionary


class PlainBash(CompleteBash):
    """cliff's script, without the function of the package bash-completion that it calls."""

    def get_header(self) -> str:
        """The beginning of the function."""
        return f"""_{self.escaped_name}()
{{
  local cur="${{COMP_WORDS[COMP_CWORD]}}" words=("${{COMP_WORDS[@]}}") var cmd proposed completed dash underscore cmds
  COMPREPLY=()

  # Command data:
"""


class Complete(CompleteCommand):
    """`complete`."""

    _description = "Print a completion script for the shell"

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Prints it."""
        if parsed_args.shell != "bash":
            result: int = super().take_action(parsed_args)
            return result
        commands = CompleteDictionary()
        for name, _ in self.app.command_manager:
            commands.add_command([name], self.get_actions([name]))
        script = PlainBash(parsed_args.name or self.app.NAME, self.app.stdout)
        script.write(commands.get_commands(), commands.get_data())
        return 0
