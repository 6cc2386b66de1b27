"""Situations from public reports, in ``shared/cases``: each is made anew, and does what its ``cmd.sh`` expects."""

from __future__ import annotations

import runpy
import shutil
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

__all__ = ["inputs_of"]

CASES = Path(__file__).parents[3] / "shared/cases"


def inputs_of(case: str, tmp_path: Path) -> Path:
    """Return the folder with the inputs of a case, made in ``tmp_path``; skip where the cases are not at hand."""
    found = next(CASES.glob(f"{case}_*"), None)
    if found is None:
        pytest.skip("shared/cases is not beside this checkout")
    folder = tmp_path / found.name
    shutil.copytree(found, folder)
    made = folder / "in"
    with pytest.MonkeyPatch.context() as patched, patch.object(sys, "argv", ["make.py", str(made)]):
        patched.syspath_prepend(str(folder))
        patched.chdir(folder)
        for name in [name for name in sys.modules if name == "lib"]:
            patched.delitem(sys.modules, name)
        runpy.run_path(str(folder / "make.py"), run_name="__main__")
        sys.modules.pop("lib", None)
    return made
