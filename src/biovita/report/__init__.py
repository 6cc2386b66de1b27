"""The report of a run: one page that needs nothing else, and the numbers as JSON."""

from biovita.report.content import ReportContent, run_of
from biovita.report.page import write_report
from biovita.report.results import results
from biovita.report.run_files import RunFiles, write_run

__all__ = ["ReportContent", "RunFiles", "results", "run_of", "write_report", "write_run"]
