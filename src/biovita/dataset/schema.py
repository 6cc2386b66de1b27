"""The columns of a dataset's tables, as DESIGN states them, and how taxa become rows and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

import pyarrow as pa

from biovita.errors import DatasetError
from biovita.foreign_tables import Held
from biovita.modality import Modality
from biovita.taxonomy import Rank, Taxon, Taxonomy

__all__ = [
    "AUDIO",
    "IMAGES",
    "LARGE_TABLES",
    "MEDIA_TABLES",
    "OMITTED",
    "REJECTED",
    "TABLES",
    "TAXA",
    "TRAITS",
    "Split",
    "taxa_table",
    "taxonomy_of",
]


class Split(StrEnum):
    """Which part of training or evaluation an item belongs to."""

    TRAIN = "train"
    SEEN = "seen"  # held-out media of species that are trained on
    UNSEEN = "unseen"  # media of species that are held out whole


_MEDIA_HEAD = [
    pa.field("id", pa.string(), nullable=False),
    pa.field("taxon_id", pa.string(), nullable=False),
    pa.field("path", pa.string(), nullable=False),  # relative to the dataset, or absolute
]
_MEDIA_TAIL = [
    pa.field("source", pa.string()),
    pa.field("source_id", pa.string()),
    pa.field("url", pa.string()),
    pa.field("license", pa.string()),
    pa.field("attribution", pa.string()),
    pa.field("recorded_at", pa.string()),  # ISO 8601, as precise as it is known
    pa.field("latitude", pa.float64()),
    pa.field("longitude", pa.float64()),
    pa.field("sha256", pa.string(), nullable=False),  # of the whole file
    pa.field("group_id", pa.string(), nullable=False),  # items that may not be on two sides of a split
    pa.field("split", pa.string()),
]

AUDIO = pa.schema(
    [
        *_MEDIA_HEAD,
        pa.field("start_s", pa.float64(), nullable=False),  # within the file
        pa.field("end_s", pa.float64(), nullable=False),
        pa.field("duration_s", pa.float64(), nullable=False),  # of the file
        pa.field("sample_rate", pa.int32(), nullable=False),
        *_MEDIA_TAIL,
    ]
)
IMAGES = pa.schema(
    [
        *_MEDIA_HEAD,
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        *_MEDIA_TAIL,
    ]
)
TAXA = pa.schema(
    [
        pa.field("taxon_id", pa.string(), nullable=False),
        pa.field("scientific_name", pa.string(), nullable=False),
        pa.field("common_name", pa.string()),
        pa.field("rank", pa.string(), nullable=False),
        *(pa.field(rank.value, pa.string()) for rank in Rank if rank != Rank.SPECIES),
    ]
)
TRAITS = pa.schema(
    [
        pa.field("taxon_id", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("value", pa.bool_(), nullable=False),  # an unknown label has no row
        pa.field("source", pa.string(), nullable=False),
    ]
)
REJECTED = pa.schema(
    [
        pa.field("modality", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),  # the table it was named in
        pa.field("row", pa.int64(), nullable=False),  # its line there; the header is line 1
        pa.field("path", pa.string()),
        pa.field("name", pa.string()),
        pa.field("reason", pa.string(), nullable=False),  # short, stable code
        pa.field("detail", pa.string(), nullable=False),
    ]
)
OMITTED = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("modality", pa.string(), nullable=False),
        pa.field("source_id", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),  # as the source gives it
        pa.field("taxon_id", pa.string()),  # what the name stands for; none where that is the reason
        pa.field("reason", pa.string(), nullable=False),  # short, stable code
        pa.field("detail", pa.string(), nullable=False),
    ]
)

_TAXON_BYTES = 400  # that a taxon takes beside its texts

TABLES: dict[str, pa.Schema] = {
    "taxa": TAXA,
    "traits": TRAITS,
    "audio": AUDIO,
    "images": IMAGES,
    "rejected": REJECTED,
}
MEDIA_TABLES: Mapping[Modality, str] = {Modality.AUDIO: "audio", Modality.IMAGE: "images"}
# Tables that only some datasets have, and that may be too large for memory.
LARGE_TABLES: dict[str, pa.Schema] = {"omitted": OMITTED}


def taxa_table(taxa: Iterable[Taxon]) -> pa.Table:
    """Return taxa as a table in the `TAXA` schema."""
    rows = [
        {
            "taxon_id": taxon.id,
            "scientific_name": taxon.scientific_name,
            "common_name": taxon.common_name,
            "rank": taxon.rank.value,
            **{rank.value: taxon.name_at(rank) for rank in Rank if rank != Rank.SPECIES},
        }
        for taxon in taxa
    ]
    return pa.Table.from_pylist(rows, schema=TAXA)


def taxonomy_of(table: pa.Table) -> Taxonomy:
    """Return the taxonomy that a `TAXA` table holds, in its order.

    Raises
    ------
    DatasetError
        Where an id is there twice, or a rank is none of `Rank`.
    """
    Held("taxa.parquet").add(table.nbytes + table.num_rows * _TAXON_BYTES)
    for taxon_id, rank in zip(table["taxon_id"].to_pylist(), table["rank"].to_pylist(), strict=True):
        if rank not in set(Rank):
            raise DatasetError(
                f"taxa.parquet: the rank of {taxon_id!r} is {rank!r}. It has to be one of {', '.join(Rank)}"
            )
    return Taxonomy.of(
        Taxon(
            id=row["taxon_id"],
            scientific_name=row["scientific_name"],
            common_name=row["common_name"],
            rank=Rank(row["rank"]),
            kingdom=row["kingdom"],
            phylum=row["phylum"],
            class_=row["class"],
            order=row["order"],
            family=row["family"],
            genus=row["genus"],
        )
        for row in table.to_pylist()
    )
