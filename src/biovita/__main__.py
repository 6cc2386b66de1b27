"""Run the command line with ``python -m biovita``."""

from biovita.cli import main

main()
