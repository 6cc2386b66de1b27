"""Who and what a split holds out: unseen taxa and all their names, media by their content, and hashes of both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.dataset.dataset import Dataset
from biovita.dataset.schema import Split
from biovita.modality import MEDIA, Modality
from biovita.parquet import read_parquet
from biovita.taxonomy import Taxon
from biovita.taxonomy.parse import fold

__all__ = [
    "KEY_DIGITS",
    "content_keys",
    "folded_names",
    "has_hash",
    "other_names",
    "rows_hash",
    "split_hash",
    "unseen_taxa",
]

KEY_DIGITS = 16  # of a SHA-256: 64 bits
_DECIDED = pa.schema([(name, pa.string()) for name in ("name", "parsed", "species_id")])
_SHA256 = "^[0-9a-f]{64}$"
_AT_ONCE = 1 << 16  # rows


def unseen_taxa(dataset: Dataset) -> list[Taxon]:
    """Return the taxa with an item in the ``unseen`` split."""
    held_out = pc.field("split") == Split.UNSEEN.value
    hidden = [dataset.media(modality, ["taxon_id"], held_out)["taxon_id"] for modality in MEDIA]
    taxa = pc.unique(pa.chunked_array([chunk for column in hidden for chunk in column.chunks], pa.string()))
    return [dataset.taxonomy[taxon_id] for taxon_id in taxa.sort().to_pylist()]


def other_names(dataset: Dataset, taxa: Iterable[Taxon]) -> dict[str, set[str]]:
    """Return the names beside their own that a dataset has for these taxa, by taxon id.

    They are the synonyms of its taxonomy, and the names it was made from, which ``taxonomy_decisions.parquet`` holds
    where there was a backbone: as given, and without authorship.

    Raises
    ------
    DatasetError
        Where that file cannot be read.
    """
    names: dict[str, set[str]] = {taxon.id: set() for taxon in taxa}
    for name, taxon_id in dataset.taxonomy.synonyms.items():
        if taxon_id in names:
            names[taxon_id].add(name)
    file = dataset.path / "taxonomy_decisions.parquet"
    if file.is_file():
        table = read_parquet(file, _DECIDED)
        table = table.filter(pc.is_in(table["species_id"], value_set=pa.array(sorted(names), pa.string())))
        for column in ("name", "parsed"):
            pairs = table.select(["species_id", column]).drop_null().group_by(["species_id", column]).aggregate([])
            for taxon_id, name in zip(pairs["species_id"].to_pylist(), pairs[column].to_pylist(), strict=True):
                names[taxon_id].add(name)
    return names


def folded_names(dataset: Dataset, taxa: Iterable[Taxon]) -> set[str]:
    """Return all scientific names of taxa, their own and `other_names`, in the form by which names are compared."""
    taxa = list(taxa)
    others = set[str]().union(*other_names(dataset, taxa).values())
    return {fold(name) for name in (*(taxon.scientific_name for taxon in taxa), *others)}


def has_hash(media: pa.Table) -> pa.Array:
    """Return whether each row of a table with the column ``sha256`` states a hash there."""
    found = pc.match_substring_regex(pc.fill_null(media["sha256"], ""), _SHA256)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def content_keys(media: pa.Table, dataset: str) -> pa.Array:
    """Return what the file of each recording or photograph is told by, wherever it lies: 16 digits of its SHA-256.

    All spans of one recording have one key. A row that states no hash is told by its path within the dataset: its key
    holds for datasets of that name alone.

    Parameters
    ----------
    media
        With the columns ``sha256`` and ``path``.
    dataset
        The name of the dataset that paths count within.
    """
    hashed = has_hash(media)
    keys = pc.utf8_slice_codeunits(pc.fill_null(media["sha256"], ""), 0, KEY_DIGITS)
    keys = keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys
    if pc.all(hashed, min_count=0).as_py():
        return keys
    lacking = pc.invert(hashed)
    paths = media["path"].filter(lacking).to_pylist()
    told = [hashlib.sha256(f"{dataset}\n{path}".encode()).hexdigest()[:KEY_DIGITS] for path in paths]
    return pc.replace_with_mask(keys, lacking, pa.array([f"path:{each}" for each in told], pa.string()))


def split_hash(dataset: Dataset) -> str:
    """Return a hash of who is unseen, what is held out and what is trained on: of the ids and their split.

    It does not depend on the order of the rows: the same split, made again, has the same hash.
    """
    return _hash_of(dataset, dict.fromkeys(MEDIA, ("id", "split")))


def rows_hash(dataset: Dataset) -> str:
    """Return a hash of the rows of a dataset's media, in any order: id, taxon, file with its hash, and span."""
    common = ("id", "taxon_id", "path", "sha256")
    return _hash_of(dataset, {Modality.AUDIO: (*common, "start_s", "end_s"), Modality.IMAGE: common})


def _hash_of(dataset: Dataset, columns: Mapping[Modality, tuple[str, ...]]) -> str:
    digest = hashlib.sha256()
    for modality, names in columns.items():
        table = dataset.media(modality, names)
        texts = [pc.fill_null(table[name].cast(pa.string()), "") for name in names]
        lines = pc.binary_join_element_wise(*texts, "\t")
        order = pc.sort_indices(lines).to_numpy()
        digest.update(f"{modality}\n".encode())
        for some in np.array_split(order, max(1, -(-len(order) // _AT_ONCE))):
            digest.update("".join(f"{line}\n" for line in lines.take(pa.array(some)).to_pylist()).encode())
    return digest.hexdigest()
