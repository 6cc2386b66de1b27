"""The report of a run: one page that needs nothing else, and the numbers as JSON."""

from biovita.report.files import RunFiles, write_run
from biovita.report.page import write_report
from biovita.report.results import results
from biovita.report.run import Run, run_of

__all__ = ["Run", "RunFiles", "results", "run_of", "write_report", "write_run"]
