"""Launcher: ``python cli.py ...`` is the same program as the installed ``labeler``."""

from labeler.cli import main

main()
