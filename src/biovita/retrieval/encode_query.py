"""Files, words and names of a query as vectors in the space that an archive was embedded into."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from biovita.errors import BiovitaError
from biovita.identification.asked import Perceiving
from biovita.media.inputs import Clip
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.model.describe import load_encoder, load_model
from biovita.model.model import Model
from biovita.retrieval.lineage_names import archive_taxa, book_of_taxa
from biovita.retrieval.query_parts import QueryPart
from biovita.taxonomy import Taxon, prompts
from biovita.taxonomy.known_taxa import known_taxa
from biovita.taxonomy.parse import fold
from biovita.towers.encoder import Encoder
from biovita.towers.views import Views
from biovita.values import number

__all__ = ["AskedWith", "encoded", "opened_model", "span_of_file", "taxon_named", "text_of_taxon"]

_SPAN = re.compile(r"(?P<file>.+)@(?P<start>[\d.]+)-(?P<end>[\d.]*)")


@dataclass(frozen=True, slots=True)
class AskedWith:
    """What is asked with.

    Attributes
    ----------
    audio
        Files; behind an ``@`` the seconds of one that are meant: ``dawn.wav@12-15``.
    taxa
        Names; their text is asked with.
    weights
        By kind (audio, image, text, taxon), how much each of its parts counts; 1 if not given.
    """

    audio: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    taxa: tuple[str, ...] = ()
    weights: Mapping[str, float] | None = None

    def modalities(self) -> tuple[Modality, ...]:
        """Return the modalities that have to be encoded."""
        wanted = {Modality.AUDIO: self.audio, Modality.IMAGE: self.images, Modality.TEXT: self.texts or self.taxa}
        return tuple(modality for modality, given in wanted.items() if given)


def opened_model(
    card: ModelCard, modalities: Sequence[Modality], perceiving: Perceiving, taxa: pa.Table, device: str = "auto"
) -> Model:
    """Return a model with some of its towers, as they listened to and looked at an archive's media.

    Parameters
    ----------
    taxa
        What the archive knows of taxa; a model that goes by what is known of them looks there first.

    Raises
    ------
    ModelError
        Where the model has no such tower, or it cannot be opened.
    """
    model = load_model(card, device, modalities=())
    towers: dict[Modality, Encoder] = {}
    for modality in dict.fromkeys(modalities):
        tower = load_encoder(card, modality, device)
        if modality == Modality.AUDIO:
            tower = tower.cutting(perceiving.overlap)
        elif modality == Modality.IMAGE:
            tower = Views(tower, perceiving.views)
        towers[modality] = tower
    return replace(model, towers=towers).knowing(book_of_taxa(taxa))


def encoded(asked: AskedWith, model: Model, perceiving: Perceiving, taxa: pa.Table) -> tuple[QueryPart, ...]:
    """Return the parts of a query, each as a vector.

    Raises
    ------
    MediaError
        Where a file cannot be decoded.
    BiovitaError
        Where a taxon is unknown or a span is none.
    """
    weights = asked.weights or {}
    clips = [_clip(given, perceiving) for given in asked.audio]
    named = [taxon_named(name, taxa) for name in asked.taxa]
    found: list[QueryPart] = []
    for kind, modality, given, vectors in (
        ("audio", Modality.AUDIO, asked.audio, model.embed_audio(clips) if clips else ()),
        ("image", Modality.IMAGE, asked.images, model.embed_images(asked.images) if asked.images else ()),
        ("text", Modality.TEXT, asked.texts, model.embed_texts(asked.texts) if asked.texts else ()),
        ("taxon", Modality.TEXT, asked.taxa, model.embed_texts([*map(text_of_taxon, named)]) if named else ()),
    ):
        weight = weights.get(kind, 1.0)
        found += [
            QueryPart(str(name), modality, np.asarray(vector, np.float32), weight)
            for name, vector in zip(given, vectors, strict=True)
        ]
    return tuple(found)


def span_of_file(given: str) -> tuple[Path, float, float | None]:
    """Return a file and the seconds of it that are meant; a file that is there by its whole name is meant whole.

    Raises
    ------
    BiovitaError
        Where the seconds are no span.

    Examples
    --------
    >>> span_of_file("dawn.wav@12-15.5")[1:]
    (12.0, 15.5)
    """
    match = _SPAN.fullmatch(given)
    if match is None or Path(given).is_file():
        return Path(given), 0.0, None
    start, end = number(match["start"]), number(match["end"]) if match["end"] else None
    if start is None or (match["end"] and end is None) or (end is not None and end <= start):
        raise BiovitaError(
            f"{given}: the span is none. Give seconds behind the file, such as {match['file']}@12-15"
        )
    return Path(match["file"]), start, end


def taxon_named(name: str, taxa: pa.Table) -> Taxon:
    """Return the taxon that a scientific or common name means, of an archive, and after it of those that are known.

    Raises
    ------
    BiovitaError
        Where there is none.
    """
    key = fold(name)
    for taxon in archive_taxa(taxa):
        if key in {fold(taxon.scientific_name), fold(taxon.common_name or ""), fold(taxon.id)}:
            return taxon
    found = known_taxa().find(name)
    if found is None:
        raise BiovitaError(
            f"no taxon is called {name!r}, here or among those that the package knows. Use --text for words"
        )
    return found


def text_of_taxon(taxon: Taxon) -> str:
    """Return the text that stands for a taxon: of its prompts the one that says most."""
    return list(prompts(taxon).values())[-1]


def _clip(given: str, perceiving: Perceiving) -> Clip:
    path, start, end = span_of_file(given)
    return Clip(path, start, end, perceiving.hearing)
