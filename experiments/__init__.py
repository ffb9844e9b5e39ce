"""Declared runs, their store, resume, the command line and the report: ``python -m experiments --help``."""
