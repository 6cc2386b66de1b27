"""The training items that could not be decoded: counted over all processes and listed; too many end the run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from biovita.errors import DatasetError
from biovita.files import write_whole
from biovita.modality import Modality
from biovita.training.towers.distributed import processes

__all__ = ["Failures", "Undecodable"]


class Undecodable(NamedTuple):
    """A training item that cannot be decoded, and why."""

    modality: str
    id: str
    why: str


@dataclass(eq=False)
class Failures:
    """The training items that could not be decoded, each counted once, and how many are too many.

    Attributes
    ----------
    share
        Of the items of a modality; the run ends above it.
    total
        Items of each modality.
    """

    share: float
    total: dict[Modality, int]
    found: dict[tuple[Modality, str], str] = field(default_factory=dict)

    def add(self, modality: Modality, item: str, why: str) -> None:
        """Count an item.

        Raises
        ------
        DatasetError
            Where too many have failed by now.
        """
        self.found.setdefault((modality, item), why)
        count = sum(kind == modality for kind, _ in self.found)
        if count > self.share * self.total[modality]:
            first = "; ".join(list(self.found.values())[:3])
            raise DatasetError(
                f"{count} of {self.total[modality]} {modality} training items cannot be decoded, more than the "
                f"{self.share:.2%} that the recipe allows (undecodable). The first: {first}"
            )

    def gather(self) -> list[Undecodable]:
        """Return what any process could not decode; every process then knows of all of it.

        Raises
        ------
        DatasetError
            In every process, where too many have failed by now.
        """
        found = [Undecodable(modality.value, item, why) for (modality, item), why in self.found.items()]
        if processes() > 1:
            from accelerate.utils import gather_object

            found = [Undecodable(*each) for each in dict.fromkeys(map(tuple, gather_object(found)))]
            for each in found:
                self.add(Modality(each.modality), each.id, each.why)
        return found

    def write(self, file: Path) -> None:
        """Write a line of JSON for each of them, and nothing where there are none."""
        if self.found:
            rows = (Undecodable(kind.value, item, why) for (kind, item), why in self.found.items())
            write_whole(file, "".join(json.dumps(row._asdict()) + "\n" for row in rows))
