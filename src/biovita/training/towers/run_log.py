"""What a run writes down while it trains: ``log.jsonl``, the same for TensorBoard, and its page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from biovita.errors import DatasetError
from biovita.files import write_whole
from biovita.jsonfile import parse_json, read_json
from biovita.training.recipe import TERMS

__all__ = ["RunLog", "scalars"]

_TERMS = ("loss", *TERMS, "guard")
_OTHERS = ("temperature", "gradient_norm", "loss_scale", "seconds", "waited")


class RunLog:
    """The lines of a run, one a step and one a validation, each written as it comes.

    Where the package ``tensorboard`` is installed, ``tensorboard/`` gets the same numbers.

    Parameters
    ----------
    writes
        False in all processes of a run but one: those keep the lines and write nothing.
    """

    def __init__(self, out: Path, *, writes: bool) -> None:
        self.out = out
        self.lines: list[dict[str, Any]] = []
        self._writes = writes
        self._file = out / "log.jsonl"
        self._board: Any = None

    def begin(self, total: int) -> None:
        """Take up the lines of the first ``total`` steps; later ones, of a run that went further, are dropped."""
        if self._file.is_file():
            found = [line for text in self._file.read_bytes().split(b"\n") if (line := _whole(text)) is not None]
            self.lines = [line for line in found if line["total"] + (line["kind"] == "step") <= total and total]

    def rewrite(self) -> None:
        """Write the lines that were taken up in place of what was there."""
        if not self._writes:
            return
        write_whole(self._file, "".join(json.dumps(line) + "\n" for line in self.lines))
        if find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            place = self.out / "tensorboard"
            shutil.rmtree(place, ignore_errors=True)
            self._board = SummaryWriter(str(place))
            for line in self.lines:
                self._show(line)

    def write(self, line: dict[str, Any]) -> None:
        """Add a line."""
        self.lines.append(line)
        if self._writes:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            self._show(line)

    def publish(self, *, left_out: int = 0) -> None:
        """Write the page, ``report.html``, as far as the run has come; ``left_out`` items could not be decoded."""
        if self._writes:
            from biovita.report.training import write_training_page

            if self._board is not None:
                self._board.flush()
            record = read_json(self.out / "run.json", DatasetError)
            files = (self._file.name, "run.json")
            write_training_page(self.out, self.lines, record, files=files, left_out=left_out)

    def _show(self, line: dict[str, Any]) -> None:
        if self._board is not None:
            for name, value in scalars(line).items():
                self._board.add_scalar(name, value, line["total"])


def _whole(text: bytes) -> dict[str, Any] | None:
    """Return a line, None where the run was killed while it wrote it, or it is none of a run."""
    try:
        line = parse_json(text.decode(), "a line", DatasetError, finite=False)
    except ValueError:
        return None
    if not isinstance(line, dict) or type(line.get("total")) is not int:
        return None
    fits = _FITS.get(str(line.get("kind")))
    return line if fits is not None and fits(line) else None


def _is_step(line: dict[str, Any]) -> bool:
    """Return whether a line has what a run writes of a step, each of its kind."""
    gate, rates, names = line.get("gate"), line.get("learning_rates", {}), (*_TERMS, *_OTHERS)
    return (
        isinstance(line.get("phase"), str)
        and type(line.get("epoch")) is int
        and type(line.get("pairs")) is int
        and {"gate", "loss", "seconds", "waited"} <= line.keys()
        and _are_numbers(line.get("weights"))
        and _are_numbers(rates)
        and (gate is None or (_are_numbers(gate) and {"open", "average"} <= gate.keys()))
        and _are_numbers({name: line[name] for name in names if line.get(name) is not None})
        and None not in (line["loss"], line["seconds"], line["waited"])
    )


def _is_validation(line: dict[str, Any]) -> bool:
    parts = [line[part] for part in ("seen", "unseen") if part in line]
    return (
        isinstance(line.get("phase"), str)
        and type(line.get("epoch")) is int
        and all(
            _are_numbers(part) and {"top1", "top5", "chance"} <= part.keys() and part["chance"] for part in parts
        )
    )


def _are_numbers(found: Any) -> bool:
    return isinstance(found, dict) and all(isinstance(value, int | float) for value in found.values())


_FITS: dict[str, Callable[[dict[str, Any]], bool]] = {"step": _is_step, "validation": _is_validation}


def scalars(line: dict[str, Any]) -> dict[str, float]:
    """Return the numbers of a line by name: ``loss/atc``, ``weight/aic``, ``validation/unseen/top1`` and so on."""
    if line["kind"] == "validation":
        parts = {part: line[part] for part in ("seen", "unseen") if part in line}
        return {f"validation/{part}/{k}": found[k] for part, found in parts.items() for k in ("top1", "top5")}
    found = {f"loss/{name}": line[name] for name in _TERMS if name in line}
    found |= {f"weight/{name}": weight for name, weight in line["weights"].items()}
    found |= {f"learning_rate/{part}": rate for part, rate in line.get("learning_rates", {}).items()}
    found |= {name: line[name] for name in _OTHERS if line.get(name) is not None}
    if line["gate"] is not None:
        found |= {"gate/open": float(line["gate"]["open"]), "gate/average": line["gate"]["average"]}
    return found
