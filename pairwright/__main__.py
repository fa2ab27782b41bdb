"""`python -m pairwright`."""

from pairwright.cli.app import main

main()
