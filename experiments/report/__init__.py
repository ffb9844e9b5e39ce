"""The page for the browser: every theorem, experiment and figure with what the stored runs say about it."""

from experiments.report.page import write_report

__all__ = ["write_report"]
