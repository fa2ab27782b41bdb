"""`python -m pairwright.cli`."""

from pairwright.cli.app import main

main()
