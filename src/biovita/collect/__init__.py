"""From a plan to a dataset: select, download, verify, cut, and the reason for each record left out."""

from biovita.collect.plan import Plan, read_plan

__all__ = ["Plan", "read_plan"]
