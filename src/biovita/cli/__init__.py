"""The command line, one file a command group."""

from biovita.cli.app import main

__all__ = ["main"]
