"""Figures for a paper, one file each, drawn from stored results: ``python -m paper_figures --help``."""
