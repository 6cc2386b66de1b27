"""The report of a run: one page that needs nothing else, and the numbers as JSON."""

from biovita.report.page import write_report
from biovita.report.results import results
from biovita.report.run import Run

__all__ = ["Run", "results", "write_report"]
