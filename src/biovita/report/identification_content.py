"""What the page of an identification is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from biovita.archive.segments import Locate, place_on_disk

__all__ = ["EXEMPLARS", "IdentificationContent"]

EXEMPLARS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("modality", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("dataset", pa.string()),  # directory of the dataset that holds it
        pa.field("start_s", pa.float64()),
        pa.field("end_s", pa.float64()),
        pa.field("taxon_id", pa.string()),
        pa.field("license", pa.string()),
        pa.field("attribution", pa.string()),
    ]
)
"""Labelled recordings and photographs that answers name as the nearest."""


@dataclass(frozen=True, eq=False)
class IdentificationContent:
    """A run of ``identify``, with all that a reader has to know of it.

    Attributes
    ----------
    title
        What was listened to and looked at, in a few words.
    annotations, recordings, photographs, deployments, candidates, left_out
        As `biovita.archive.archive_tables` has them. Annotations of recordings are events.
    exemplars
        As `EXEMPLARS` has them; those that ``nearest_audio`` and ``nearest_image`` of the annotations name.
    settings
        What the run was asked, in words: model and revision, threshold, overlap, list of taxa, place, date.
    window_s
        Length of the windows in seconds within the file.
    expand
        By how much the run slowed recordings down before it listened; the page plays them so, too.
    speech
        Where a person is heard, as `biovita.identification.events.speech_spans` returns it. The page says how many
        pieces that are.
    drop_speech
        Whether nothing that overlaps them is shown or played.
    locate
        Where a file is, for media that are packed.
    """

    title: str
    annotations: pa.Table
    recordings: pa.Table
    photographs: pa.Table
    deployments: pa.Table
    candidates: pa.Table
    left_out: pa.Table
    exemplars: pa.Table = field(default_factory=EXEMPLARS.empty_table)
    settings: Mapping[str, str] = field(default_factory=dict)
    window_s: float = 3.0
    expand: float = 1.0
    speech: Mapping[str, np.ndarray] = field(default_factory=dict)
    drop_speech: bool = False
    locate: Locate = place_on_disk
