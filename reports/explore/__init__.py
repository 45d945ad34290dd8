"""The report of an exploration: a page to explore it in, pictures and tables for papers."""

from reports.explore.report import require_libraries, write_report

__all__ = ["require_libraries", "write_report"]
