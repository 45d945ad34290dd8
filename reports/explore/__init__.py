"""The report of an exploration: a page to explore it in, pictures and tables for papers."""

from reports.explore.report import write_report

__all__ = ["write_report"]
