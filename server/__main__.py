"""`python -m server` is `parley`."""

from server.cli import main

main()
