"""What a run writes down while it trains: ``log.jsonl``, the same for TensorBoard, and its page."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from biovita.errors import DatasetError
from biovita.files import write_whole
from biovita.jsonfile import read_json
from biovita.training.log_lines import Line, PageWriter, StepLine, ValidationLine, as_json, read_line

__all__ = ["RunLog", "scalars"]

_NUMBERS = ("temperature", "gradient_norm", "loss_scale", "seconds", "waited")


class RunLog:
    """The lines of a run, one a step and one a validation, each written as it comes.

    Where the package ``tensorboard`` is installed, ``tensorboard/`` gets the same numbers.

    Parameters
    ----------
    writes
        False in all processes of a run but one: those keep the lines and write nothing.
    page
        Writes the run's page; None where it gets none.
    """

    def __init__(self, out: Path, *, writes: bool, page: PageWriter | None = None) -> None:
        self.out = out
        self.lines: list[Line] = []
        self._writes = writes
        self._page = page
        self._file = out / "log.jsonl"
        self._board: Any = None

    @property
    def steps(self) -> list[StepLine]:
        """The lines of steps."""
        return [line for line in self.lines if isinstance(line, StepLine)]

    def begin(self, total: int) -> None:
        """Take up the lines of the first ``total`` steps; later ones, of a run that went further, are dropped."""
        if self._file.is_file():
            found = [
                line for text in self._file.read_bytes().split(b"\n") if (line := read_line(text)) is not None
            ]
            self.lines = [line for line in found if line.total + isinstance(line, StepLine) <= total and total]

    def rewrite(self) -> None:
        """Write the lines that were taken up in place of what was there."""
        if not self._writes:
            return
        write_whole(self._file, "".join(json.dumps(as_json(line)) + "\n" for line in self.lines))
        if find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            place = self.out / "tensorboard"
            shutil.rmtree(place, ignore_errors=True)
            self._board = SummaryWriter(str(place))
            for line in self.lines:
                self._show(line)

    def write(self, line: Line) -> None:
        """Add a line."""
        self.lines.append(line)
        if self._writes:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(as_json(line)) + "\n")
            self._show(line)

    def publish(self, *, left_out: int = 0) -> None:
        """Write the page, ``report.html``, as far as the run has come; ``left_out`` items could not be decoded."""
        if self._writes and self._page is not None:
            if self._board is not None:
                self._board.flush()
            record = read_json(self.out / "run.json", DatasetError)
            files = (self._file.name, "run.json")
            self._page(self.out, self.lines, record, files=files, left_out=left_out)

    def _show(self, line: Line) -> None:
        if self._board is not None:
            for name, value in scalars(line).items():
                self._board.add_scalar(name, value, line.total)


def scalars(line: Line) -> dict[str, float]:
    """Return the numbers of a line by name: ``loss/atc``, ``weight/aic``, ``validation/unseen/top1`` and so on."""
    if isinstance(line, ValidationLine):
        return {
            f"validation/{part}/{k}": value
            for part, found in line.parts.items()
            for k, value in (("top1", found.top1), ("top5", found.top5))
        }
    numbers = {name: getattr(line, name) for name in _NUMBERS}
    found = {f"loss/{name}": loss for name, loss in line.losses.items()}
    found |= {f"weight/{name}": weight for name, weight in line.weights.items()}
    found |= {f"learning_rate/{part}": rate for part, rate in line.learning_rates.items()}
    found |= {name: value for name, value in numbers.items() if value is not None}
    if line.gate is not None:
        found |= {"gate/open": float(line.gate.open), "gate/average": line.gate.average}
    return found
