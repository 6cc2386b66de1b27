"""The lines of a run's log: what one step came to and what one validation found, as JSON and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError

from biovita.errors import DatasetError
from biovita.jsonfile import parse_json
from biovita.training.recipe import TERMS

__all__ = ["GateLine", "Line", "PageWriter", "PartScores", "StepLine", "ValidationLine", "as_json", "read_line"]

PARTS = ("seen", "unseen")

Number = Annotated[float, Field(strict=True)]
Whole = Annotated[int, Field(strict=True)]
Text = Annotated[str, Field(strict=True)]


@dataclass(frozen=True, slots=True)
class GateLine:
    """The gate at a step: whether AIC and ITC took part, and its average of ATC."""

    open: bool
    average: Number


@dataclass(frozen=True, slots=True)
class StepLine:
    """What one step came to. Projections of frozen towers have no weights, rates, gate, gradient or clock in it.

    Attributes
    ----------
    epoch, step, total
        Each from 0; ``step`` within the phase, ``total`` within the run.
    losses
        ``loss``, the terms it is made of, and ``guard`` where there is a gate.
    weights
        By term, its factor in the loss.
    learning_rates
        By part of the towers, where it is trained at this step.
    gradient_norm
        None where half precision overflowed, and the step was left out.
    loss_scale
        Of ``fp16``; None in other precisions.
    seconds, waited
        What the step took, and what was waited for its data before.
    """

    phase: Text
    epoch: Whole
    step: Whole
    total: Whole
    losses: Mapping[str, Number]
    temperature: Number
    weights: Mapping[str, Number] = field(default_factory=dict)
    learning_rates: Mapping[str, Number] = field(default_factory=dict)
    gate: GateLine | None = None
    gradient_norm: Number | None = None
    loss_scale: Number | None = None
    pairs: Whole = 0
    seconds: Number | None = None
    waited: Number | None = None


@dataclass(frozen=True, slots=True)
class PartScores:
    """What a model gets on one part of the held-out species: the mean over its directions, and chance at Top-1."""

    top1: Number
    top5: Number
    chance: Annotated[float, Field(strict=True, gt=0)]


@dataclass(frozen=True, slots=True)
class ValidationLine:
    """What one validation found, by part (``seen``, ``unseen``), after so many epochs of a phase and steps in all."""

    phase: Text
    epoch: Whole
    total: Whole
    parts: Mapping[str, PartScores]


Line: TypeAlias = StepLine | ValidationLine


class PageWriter(Protocol):
    """Writes the page of a run into its directory, as `biovita.report.training.write_training_page` does."""

    def __call__(
        self,
        run: Path,
        lines: Sequence[Line],
        record: Mapping[str, Any],
        *,
        files: tuple[str, str],
        left_out: int = 0,
    ) -> object:
        """Write it, of the run's lines, of what made it, and of the names of the log and of the record's file."""


_STEP, _VALIDATION = TypeAdapter(StepLine), TypeAdapter(ValidationLine)
_LOSSES = ("loss", *TERMS, "guard")


def as_json(line: Line) -> dict[str, Any]:
    """Return the JSON object that ``log.jsonl`` has for a line of a run that trains towers."""
    if isinstance(line, ValidationLine):
        place = {"phase": line.phase, "epoch": line.epoch, "total": line.total}
        return {"kind": "validation", **place, **{part: asdict(found) for part, found in line.parts.items()}}
    scale = {} if line.loss_scale is None else {"loss_scale": line.loss_scale}
    return {
        "kind": "step",
        "phase": line.phase,
        "epoch": line.epoch,
        "step": line.step,
        "total": line.total,
        **line.losses,
        "weights": dict(line.weights),
        "learning_rates": dict(line.learning_rates),
        "temperature": line.temperature,
        "gate": None if line.gate is None else asdict(line.gate),
        "gradient_norm": line.gradient_norm,
        **scale,
        "pairs": line.pairs,
        "seconds": line.seconds,
        "waited": line.waited,
    }


def read_line(text: bytes) -> Line | None:
    """Return a line of ``log.jsonl``; None where it was cut off while it was written, or no run writes such a line."""
    try:
        content = parse_json(text.decode(), "a line", DatasetError, finite=False)
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    try:
        if content.get("kind") == "validation":
            return _VALIDATION.validate_python({**content, "parts": _within(content, PARTS)})
        losses = _within(content, _LOSSES)
        if content.get("kind") != "step" or not {"loss", "weights", "gate", "pairs"} <= content.keys():
            return None
        line = _STEP.validate_python({**content, "losses": losses})
    except ValidationError:
        return None
    return None if line.seconds is None or line.waited is None else line


def _within(content: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: content[name] for name in names if name in content}
