"""What a model has met in training: names of taxa, recordings and photographs by their content, dataset and split."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from biovita.errors import DatasetError, ModelError
from biovita.files import replacing
from biovita.hashing import sha256_of
from biovita.jsonfile import parse_json
from biovita.modality import MEDIA, Modality
from biovita.one_line import OneLine
from biovita.parquet import read_parquet
from biovita.weights.state_dicts import read_json

__all__ = ["MET", "Met", "MetStage", "joined", "read_met", "write_met"]

MET = "met.parquet"
_CONFIG = "config.json"  # of the layouts that have a record
_STAGE, _TAXON, _CLASS = "stage", "taxon", "class"
_KINDS = (_STAGE, _TAXON, _CLASS, *MEDIA)
_ROWS = pa.schema([pa.field("kind", pa.string(), nullable=False), pa.field("key", pa.string(), nullable=False)])


def _no_keys() -> pa.Array:
    return pa.array([], pa.string())


@dataclass(frozen=True)
class MetStage:
    """A stage of training.

    Attributes
    ----------
    recipe
        Its name; of a stage that nothing is known of, the model that training went on from.
    dataset, version
        As ``dataset.toml`` has them; None where it is not known what the stage was trained on.
    rows_sha256, split_sha256
        As `biovita.dataset.held_out` makes them.
    """

    recipe: str
    dataset: str | None = None
    version: str | None = None
    rows_sha256: str | None = None
    split_sha256: str | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Met(OneLine):
    """What a model has met in all stages of its training, so far as that is known.

    Attributes
    ----------
    stages
        In their order.
    taxa
        Folded scientific names of the taxa that were trained on, accepted or not; a text array, as are the others.
    classes
        Folded names of the classes whose rows, in classifiers of the towers, were trained on.
    media
        By modality the keys of the files, as `biovita.dataset.held_out.content_keys` makes them.
    """

    stages: tuple[MetStage, ...] = ()
    taxa: pa.Array = field(default_factory=_no_keys)
    classes: pa.Array = field(default_factory=_no_keys)
    media: Mapping[Modality, pa.Array] = field(default_factory=dict)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The models that training went on from, and of which it is not known what they had met."""
        return tuple(stage.recipe for stage in self.stages if stage.dataset is None)

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each kind."""
        return {kind: len(keys) for kind, keys in self._keys().items()}

    def _keys(self) -> dict[str, pa.Array]:
        stages = pa.array([json.dumps(asdict(stage)) for stage in self.stages], pa.string())
        media = {modality.value: self.media.get(modality, _no_keys()) for modality in MEDIA}
        return {_STAGE: stages, _TAXON: self.taxa, _CLASS: self.classes, **media}

    def table(self) -> pa.Table:
        """Return all as rows of ``kind`` and ``key``."""
        keys = self._keys()
        kinds = [pa.repeat(kind, len(found)) for kind, found in keys.items()]
        return pa.table([pa.chunked_array(kinds, pa.string()), pa.chunked_array(keys.values())], schema=_ROWS)


def joined(parts: Iterable[Met | None]) -> Met | None:
    """Return what all of these have met together; None where nothing is known of any."""
    known = [part for part in parts if part is not None]
    if not known:
        return None
    stages = dict.fromkeys(stage for part in known for stage in part.stages)
    media = {m: _union(part.media.get(m, _no_keys()) for part in known) for m in MEDIA}
    return Met(tuple(stages), _union(p.taxa for p in known), _union(p.classes for p in known), media)


def _union(arrays: Iterable[pa.Array]) -> pa.Array:
    return pc.unique(pa.chunked_array(list(arrays), pa.string())).sort()


def write_met(met: Met | None, directory: Path) -> dict[str, Any]:
    """Write ``met.parquet`` into a model's directory, and return what its record says of it; nothing for None."""
    if met is None:
        return {}
    with replacing(directory / MET) as scratch, scratch.open("wb") as raw:
        pq.write_table(met.table(), raw, compression="zstd")
    return {"met": {"sha256": sha256_of(directory / MET), "counts": met.counts}}


def read_met(directory: Path) -> Met | None:
    """Return what the model in a directory has met; None where that is not known.

    Raises
    ------
    ModelError
        Where ``met.parquet`` cannot be read, or is not the one that ``config.json`` states.
    """
    file, config = directory / MET, directory / _CONFIG
    record = read_json(config).get("record") if config.is_file() else None
    stated = record.get("met") if isinstance(record, dict) else None
    if stated is None and not file.is_file():
        return None
    wanted = stated.get("sha256") if isinstance(stated, dict) else stated
    if not file.is_file() or (stated is not None and sha256_of(file) != wanted):
        what = "is another than" if file.is_file() else "is missing, and is"
        raise ModelError(
            f"{file} {what} stated in {_CONFIG}. It says what the model has met. Copy the model's directory whole"
        )
    try:
        table = read_parquet(file, _ROWS)
    except DatasetError as error:
        raise ModelError(str(error)) from error
    if strange := [kind for kind in table["kind"].unique().to_pylist() if kind not in _KINDS]:
        raise ModelError(f"{file}: there is no kind {str(strange[0])[:100]!r}. The kinds are {', '.join(_KINDS)}")

    def keys(kind: str) -> pa.Array:
        return table["key"].filter(pc.equal(table["kind"], kind)).combine_chunks()

    stages = tuple(_stage(text, f"{file}: a stage") for text in keys(_STAGE).to_pylist())
    return Met(stages, keys(_TAXON), keys(_CLASS), {modality: keys(modality.value) for modality in MEDIA})


def _stage(text: str, where: str) -> MetStage:
    try:
        found: MetStage = TypeAdapter(MetStage).validate_python(parse_json(text, where, ModelError))
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelError(f"{where}: {'.'.join(map(str, first['loc']))[:100]}: {first['msg']}") from error
    return found
