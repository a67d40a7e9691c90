"""The report: one HTML file that tells what a study found, what was learned, and what went wrong."""

from evohpo.analysis.report.writing import write_report

__all__ = ["write_report"]
