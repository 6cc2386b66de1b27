"""Taxa that a question may be answered with, each with whatever evidence exists of it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from biovita.archive.archive_tables import Kind
from biovita.errors import BiovitaError
from biovita.identification.evidence import Candidate, Evidence
from biovita.identification.exemplars import Exemplars, Labelled
from biovita.identification.likeness import centre_of, defaults_hash
from biovita.modality import MEDIA, Modality
from biovita.model.card import ModelCard
from biovita.taxonomy import Rank, Taxon, Taxonomy
from biovita.taxonomy.known_taxa import KnownTaxa, known_taxa
from biovita.taxonomy.overlap import overlaps, senses
from biovita.taxonomy.parse import fold
from biovita.taxonomy.prompts import prompts

if TYPE_CHECKING:
    from biovita.model import Model
    from biovita.towers.encoder import Encoder

__all__ = ["ClassLinks", "Gallery", "NamesInSpace", "gallery_of", "known_as", "nameable"]


@dataclass(frozen=True, eq=False)
class ClassLinks:
    """Which classes of an encoder speak for which candidates: pairs, by candidate.

    Attributes
    ----------
    candidates, classes
        Numbers of both, ``(pairs,)``.
    shown
        ``(pairs,)``: how many taxa the class may show.
    """

    candidates: np.ndarray
    classes: np.ndarray
    shown: np.ndarray


@dataclass(frozen=True, eq=False)
class NamesInSpace:
    """Names in the space that sound, photographs and names share.

    Attributes
    ----------
    candidates
        Numbers of those that have a name there, ``(taxa,)``.
    directions
        ``(taxa, dim)``, float32, of length 1.
    """

    candidates: np.ndarray
    directions: np.ndarray


@dataclass(frozen=True, eq=False)
class Gallery:
    """Candidates and the evidence of them; see `gallery_of`.

    Attributes
    ----------
    links
        By the name of an encoder.
    names
        None where no candidate needs one, or the model has no names.
    notes
        What could not be settled: names and classes without a taxon, candidates without evidence, labels left out.
    """

    candidates: tuple[Candidate, ...]
    links: Mapping[str, ClassLinks]
    names: NamesInSpace | None
    exemplars: Mapping[Modality, Exemplars]
    model_revision: str
    notes: tuple[str, ...] = ()

    def evidence(self) -> tuple[frozenset[Evidence], ...]:
        """Return, by candidate, the kinds of evidence that there are of it."""
        kinds: list[set[Evidence]] = [set() for _ in self.candidates]
        having: list[tuple[Evidence, np.ndarray]] = [
            *((Evidence.CLASS, links.candidates) for links in self.links.values()),
            *((Evidence.EXEMPLAR, each.candidates) for each in self.exemplars.values()),
        ]
        if self.names is not None:
            having.append((Evidence.NAME, self.names.candidates))
        for kind, numbers in having:
            for number in numbers.tolist():
                kinds[number].add(kind)
        return tuple(map(frozenset, kinds))

    @cached_property
    def version(self) -> str:
        """16 digits that change when candidates, exemplars, the model or the weights that ship do."""
        digest = hashlib.sha256(f"{self.model_revision}\0{defaults_hash()}".encode())
        for each in self.candidates:
            digest.update(f"\0{each.kind}\0{each.taxon.id}".encode())
        for modality, exemplars in sorted(self.exemplars.items()):
            digest.update(f"\0{modality}".encode())
            for exemplar in exemplars.rows["id"].to_pylist():
                digest.update(f"\0{exemplar}".encode())
            digest.update(np.ascontiguousarray(exemplars.vectors).tobytes())
        return digest.hexdigest()[:16]


@lru_cache(maxsize=1 << 15)  # a gallery asks four times for each of BirdNET's 6,500
def known_as(taxon: Taxon) -> Taxon | None:
    """Return the taxon of the package's table that a taxon is, under any of its names; None where there is none.

    A scientific name or synonym decides. A common name is looked at only where the scientific one is not known, and
    counts only where it is of the same class, for common names cross kingdoms.
    """
    table = known_taxa()
    found = table.find(taxon.scientific_name)
    if found is None and taxon.common_name and taxon.class_:
        found = table.find(taxon.common_name)
        if found is not None and found.class_ != taxon.class_:
            found = None
    return found if found is not None and found.rank == taxon.rank else None


def nameable(towers: Collection[Encoder], labelled: Sequence[Labelled] = ()) -> tuple[Candidate, ...]:
    """Return all that can be named: taxa and sounds of the towers' classes, and what is labelled, each once.

    A taxon that is both has the names of the package's table. Classes of towers that are no taxa are sounds.
    """
    table = known_taxa()
    found: dict[tuple[Kind, str], Candidate] = {}
    for tower in towers:
        known = table.classes.get(tower.card.name, {})
        for number in sorted(known):
            for taxon_id in known[number]:
                if table.taxonomy[taxon_id].rank == Rank.SPECIES:
                    _add(found, [Candidate(table.taxonomy[taxon_id])])
        if tower.card.modality == Modality.AUDIO:
            _add(found, [Candidate(Taxon(f"sound:{fold(name)}", name), Kind.SOUND) for name, _ in _sounds(tower)])
    for items in labelled:
        _add(found, items.labels)
    return tuple(found.values())


def _add(found: dict[tuple[Kind, str], Candidate], candidates: Iterable[Candidate]) -> None:
    for each in candidates:
        known = known_as(each.taxon) if each.kind == Kind.TAXON else None
        found.setdefault(_key(each), each if known is None else Candidate(known))


def _key(candidate: Candidate) -> tuple[Kind, str]:
    """Return what two candidates share that are the same."""
    known = known_as(candidate.taxon) if candidate.kind == Kind.TAXON else None
    return candidate.kind, fold((known or candidate.taxon).scientific_name)


def _sounds(tower: Encoder) -> list[tuple[str, int]]:
    """Return names and numbers of a tower's classes that are no taxa; none of a tower whose taxa are not known."""
    classes, known = tower.classes(), known_taxa().classes.get(tower.card.name)
    if classes is None or known is None:
        return []
    return [(names[0], number) for number, names in enumerate(classes.names) if number not in known]


def gallery_of(
    model: ModelCard | Model,
    towers: Mapping[Modality, Encoder],
    labelled: Sequence[Labelled] = (),
    candidates: Sequence[Candidate] | None = None,
) -> Gallery:
    """Return the gallery of candidates, with the evidence that a model and labelled items give of each.

    The names of encoders, datasets, folders and lists meet in the package's table of taxa. Names are opened only where
    they speak: for photographs, and for taxa that no classifier of sounds knows.

    Parameters
    ----------
    towers
        Encoders of the model that are open, by modality: those of the questions to come.
    labelled
        Of these modalities, or of others, which are only shown as the nearest.
    candidates
        What may be an answer; None is all that is `nameable`.

    Raises
    ------
    BiovitaError
        Where two candidates are the same, or there are none.
    """
    from biovita.model import Model

    asked = nameable(tuple(towers.values()), labelled) if candidates is None else tuple(candidates)
    numbers = _numbers(asked)
    card = model.card if isinstance(model, Model) else model
    pairs = {tower.card.name: _links(tower, asked) for tower in towers.values()}
    links = {name: each for name, each in pairs.items() if each is not None}
    exemplars = {}
    notes = [note for items in labelled for note in items.notes]
    for modality in MEDIA:
        mine = [items for items in labelled if items.modality == modality]
        of = [np.array([numbers.get(_key(label), -1) for label in items.labels]) for items in mine]
        if mine and (found := Exemplars.of(mine, of, centre_of(card.encoder(modality)))) is not None:
            exemplars[modality] = found
    gallery = Gallery(asked, links, None, exemplars, card.revision, tuple(notes))
    names = _names(model, gallery, towers)
    gallery = replace(gallery, names=names)
    bare = [
        each.taxon.scientific_name
        for each, kinds in zip(asked, gallery.evidence(), strict=True)
        if not kinds and each.kind != Kind.BACKGROUND
    ]
    told = (
        f"nothing speaks for {name}: no class, no name and no exemplar. Its score stays at the least"
        for name in bare
    )
    return replace(gallery, notes=(*gallery.notes, *told))


def _numbers(candidates: Sequence[Candidate]) -> dict[tuple[Kind, str], int]:
    if not candidates:
        raise BiovitaError("there are no candidates. Give taxa, a dataset or a folder of labelled files")
    numbers: dict[tuple[Kind, str], int] = {}
    for number, each in enumerate(candidates):
        other = numbers.setdefault(_key(each), number)
        if other != number:
            raise BiovitaError(
                f"two candidates are one taxon: {candidates[other].taxon.scientific_name} and "
                f"{each.taxon.scientific_name}. Leave one out"
            )
    return numbers


def _links(tower: Encoder, candidates: Sequence[Candidate]) -> ClassLinks | None:
    """Return which of a tower's classes are of the candidates, or may show them; None where it has none."""
    table = known_taxa()
    known = table.classes.get(tower.card.name)
    if known is None:
        return None
    class_numbers = list(known)
    groups = [[table.taxonomy[taxon_id] for taxon_id in known[number]] for number in class_numbers]
    sizes = [sum(_species(taxon) for taxon in taxa) for taxa in groups]
    of: list[tuple[int, int, int]] = []
    taxa = [number for number, each in enumerate(candidates) if each.kind == Kind.TAXON]
    if tower.card.modality == Modality.AUDIO:
        own = {taxon_id: number for number, ids in known.items() for taxon_id in ids}
        found = ((number, known_as(candidates[number].taxon)) for number in taxa)
        of = [(number, own[taxon.id], 1) for number, taxon in found if taxon is not None and taxon.id in own]
        sounds = dict(_sounds(tower))
        of += [
            (number, sounds[each.taxon.scientific_name], 1)
            for number, each in enumerate(candidates)
            if each.kind == Kind.SOUND and each.taxon.scientific_name in sounds
        ]
    else:
        shared = overlaps(groups, [senses(candidates[number].taxon) for number in taxa])
        of = [
            (number, class_numbers[place], sizes[place])
            for number, places in zip(taxa, shared, strict=True)
            for place in sorted(places)
        ]
    if not of:
        return None
    columns = np.array(sorted(of), np.int64).T
    return ClassLinks(*columns)


def _species(taxon: Taxon) -> int:
    """Return how many known species a taxon has; a species is one."""
    if taxon.rank == Rank.SPECIES:
        return 1
    return max(1, len(known_taxa().taxonomy.members(taxon.rank, taxon.scientific_name)))


def _names(model: ModelCard | Model, gallery: Gallery, towers: Mapping[Modality, Encoder]) -> NamesInSpace | None:
    """Return the names that speak; those of the model's landmarks are read, all others are embedded."""
    from biovita.model import Model, load_model

    card = model.card if isinstance(model, Model) else model
    if card.dim is None or Modality.TEXT not in card.encoders:
        return None
    wanted = [number for number, each in enumerate(gallery.candidates) if each.kind == Kind.TAXON]
    if Modality.IMAGE not in towers:
        classes = [links.candidates for links in gallery.links.values()]
        with_class = set(np.concatenate(classes).tolist()) if classes else set()
        wanted = [number for number in wanted if number not in with_class]
    if not wanted:
        return None
    opened = model if isinstance(model, Model) else load_model(card, modalities=())
    directions = np.zeros((len(wanted), card.dim), np.float32)
    left = []
    places: dict[str, int] = {}
    if opened.knowledge is not None and opened.knowledge.landmarks.names.shape[1]:
        places = {fold(taxon.scientific_name): at for at, taxon in enumerate(opened.knowledge.landmarks.taxa)}
        marks = opened.knowledge.landmarks.directions
    for row, number in enumerate(wanted):
        taxon = gallery.candidates[number].taxon
        known = known_as(taxon)
        same = [taxon.scientific_name] + ([] if known is None else [known.scientific_name])
        at = next((places[fold(name)] for name in same if fold(name) in places), None)
        if at is None:
            left.append(row)
        else:
            directions[row] = marks[at]
    if left:
        if Modality.TEXT not in opened.towers:
            opened = load_model(card, modalities=[Modality.TEXT])
        taxa = [gallery.candidates[wanted[row]].taxon for row in left]
        book = KnownTaxa(Taxonomy.of({taxon.id: taxon for taxon in taxa}.values()), {})
        directions[left] = opened.knowing(book).embed_texts([_text(taxon) for taxon in taxa])
    return NamesInSpace(np.array(wanted, np.int64), directions)


def _text(taxon: Taxon) -> str:
    """Return the fullest prompt of a taxon that does not state its lineage, which the model looks up by itself."""
    found = prompts(taxon)
    return found.get("sci_com", found["sci"])
