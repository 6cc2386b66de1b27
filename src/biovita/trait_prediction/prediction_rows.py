"""The tables of a prediction of traits, and the ways in which a label is told."""

from __future__ import annotations

from enum import StrEnum

import pyarrow as pa

__all__ = ["DETECTION_SHARES", "EVIDENCE", "PREDICTED", "UNTOLD", "Way"]


class Way(StrEnum):
    """From what a label is told."""

    TEXTS = "texts"  # its name and definition, in the space that media and texts share
    CANDIDATES = "candidates"  # the taxa that identification suggests
    PROBE = "probe"  # a classifier of vectors, fitted on the species of the datasets


_ABOUT = [
    pa.field("media_id", pa.string()),  # of a recording or photograph; none of a site
    pa.field("path", pa.string()),
    pa.field("site", pa.string()),
    pa.field("modality", pa.string(), nullable=False),
]
_LABEL = [pa.field("group", pa.string(), nullable=False), pa.field("label", pa.string(), nullable=False)]

PREDICTED = pa.schema(
    [
        *_ABOUT,
        pa.field(
            "media", pa.int64(), nullable=False
        ),  # recordings or photographs that it is of: 1, or those of a site
        *_LABEL,
        pa.field("way", pa.string(), nullable=False),  # of `Way`
        pa.field("score", pa.float32(), nullable=False),  # see `biovita.trait_prediction.label_tellers`
        pa.field("probability", pa.float32()),  # what share of species that score so has the label
        pa.field(
            "auc", pa.float32()
        ),  # of the way, on species that it was not told of; none where too few are known
        pa.field("known", pa.float32()),  # of candidates: how much probability lies on taxa of which it is known
        pa.field("nearest_taxon", pa.string()),  # that has the label
        pa.field("nearest_media", pa.string()),  # id of its item, the first row of `EVIDENCE`
    ]
)
"""A row a recording, photograph or site, and label."""

EVIDENCE = pa.schema(
    [
        *_ABOUT,
        *_LABEL,
        pa.field("place", pa.int8(), nullable=False),  # 1 is the nearest
        pa.field("taxon_id", pa.string(), nullable=False),  # in its dataset
        pa.field("scientific_name", pa.string(), nullable=False),
        pa.field("common_name", pa.string()),
        pa.field("cosine", pa.float32(), nullable=False),
        pa.field("nearest_modality", pa.string(), nullable=False),
        pa.field("nearest_media", pa.string(), nullable=False),
        pa.field("nearest_path", pa.string(), nullable=False),
        pa.field("start_s", pa.float64()),  # within that file
        pa.field("end_s", pa.float64()),
        pa.field("license", pa.string()),
        pa.field("attribution", pa.string()),
    ]
)
"""The nearest taxa that have a label, each with its nearest recording or photograph in the datasets."""

DETECTION_SHARES = pa.schema(
    [
        *_ABOUT,
        *_LABEL,
        pa.field("detections", pa.int64(), nullable=False),  # of taxa, present, in the hours that were asked for
        pa.field("known", pa.int64(), nullable=False),  # of them, those of whose taxon the label is known
        pa.field("having", pa.int64(), nullable=False),  # of these, those whose taxon has it
        pa.field("share", pa.float32()),  # having / known; none where nothing is known
    ]
)
"""What share of the detections of a recording, photograph or site is of taxa with a label."""

UNTOLD = pa.schema(
    [
        pa.field("modality", pa.string(), nullable=False),
        *_LABEL,
        pa.field("way", pa.string(), nullable=False),
        pa.field("media", pa.int64(), nullable=False),  # how many of what was asked about
        pa.field("reason", pa.string(), nullable=False),  # short, stable code
        pa.field("detail", pa.string(), nullable=False),
    ]
)
"""Labels that a way does not tell, and why."""
