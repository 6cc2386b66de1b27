"""What is told by itself: each recording or photograph, or all of one site together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive_tables import LEFT_OUT
from biovita.trait_prediction.asked_media import AskedMedia
from biovita.trait_prediction.from_candidates import CandidateShares
from biovita.trait_prediction.prediction_rows import PREDICTED

__all__ = ["Units", "units_of"]

_ABOUT = 4  # the first columns of `PREDICTED`


@dataclass(frozen=True, eq=False)
class Units:
    """What is told by itself, and the media that it is of.

    Attributes
    ----------
    asked
        The media.
    about
        The first four columns of `PREDICTED`, a row each.
    of
        ``(media,)``: the row of each medium.
    left_out
        Media that are of none, as `LEFT_OUT`.
    """

    asked: AskedMedia
    about: pa.Table
    of: np.ndarray
    left_out: pa.Table

    @property
    def media(self) -> np.ndarray:
        """How many media each is of, ``(units,)``."""
        return np.bincount(self.of, minlength=len(self.about))

    def means(self, values: np.ndarray) -> np.ndarray:
        """Return ``(units, 34)``, the means over the media of what is said of them, ``(media, 34)``; NaN is nothing."""
        told, sums = np.zeros((len(self.about), values.shape[1])), np.zeros((len(self.about), values.shape[1]))
        np.add.at(told, self.of, ~np.isnan(values))
        np.add.at(sums, self.of, np.nan_to_num(values))
        return np.where(told > 0, sums / np.maximum(told, 1), np.nan)

    @property
    def shares(self) -> CandidateShares:
        """What candidates say, means over the media."""
        return self.asked.shares.summed(self.of, len(self.about))

    def of_media(self, ids: pa.ChunkedArray) -> np.ndarray:
        """Return the row of media by their ids; -1 where there is none."""
        at = pc.fill_null(pc.index_in(ids, self.asked.rows["id"].combine_chunks()), -1).to_numpy()
        return np.append(self.of, -1)[at]


def units_of(asked: AskedMedia, *, by_site: bool) -> Units:
    """Return what is told by itself: each medium, or each site; what is of no site is left out."""
    rows, schema = asked.rows, pa.schema([PREDICTED.field(number) for number in range(_ABOUT)])
    if not by_site:
        columns = [rows["id"], rows["path"], rows["site"], pa.repeat(asked.modality.value, len(rows))]
        return Units(asked, pa.table(columns, schema=schema), np.arange(len(rows)), LEFT_OUT.empty_table())
    placed = rows["site"].is_valid()
    kept = np.flatnonzero(np.asarray(placed, bool))
    sites = rows["site"].filter(placed).combine_chunks().dictionary_encode()
    none = pa.nulls(len(sites.dictionary), pa.string())
    columns = [none, none, sites.dictionary, pa.repeat(asked.modality.value, len(none))]
    detail = "it is of no deployment, so its site is not known"
    left_out = [
        {"path": path, "reason": "no-site", "detail": detail}
        for path in rows["path"].filter(pc.invert(placed)).to_pylist()
    ]
    return Units(
        replace(
            asked,
            rows=rows.take(pa.array(kept)),
            vectors=asked.vectors[kept],
            shared=None if asked.shared is None else asked.shared[kept],
            shares=CandidateShares(asked.shares.having[kept], asked.shares.known[kept]),
        ),
        pa.table(columns, schema=schema),
        sites.indices.to_numpy(),
        pa.Table.from_pylist(left_out, schema=LEFT_OUT),
    )
