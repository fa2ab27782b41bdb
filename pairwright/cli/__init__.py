"""The command line: mounts the commands by lazy import and turns errors into one sentence."""

from pairwright.cli.app import main, read_command, run_command

__all__ = ["main", "read_command", "run_command"]
