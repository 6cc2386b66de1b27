"""A fauna: its species, with everything that is true of them."""

from __future__ import annotations

from dataclasses import dataclass

from biovita.errors import DatasetError
from biovita.simulation.ecology import Ecology, ecology_of, traits_of
from biovita.simulation.evolve import Latent, evolve
from biovita.simulation.looks import Looks, looks_of
from biovita.simulation.names import Naming
from biovita.simulation.tree import TreePlace, grow_tree
from biovita.simulation.voice import Voice, voice_of
from biovita.taxonomy import Taxon, Taxonomy, taxon_id_of

__all__ = ["Fauna", "SpeciesTruth"]


@dataclass(frozen=True, slots=True)
class SpeciesTruth:
    """One simulated species: its names and place, what it inherited, and what follows from that.

    Attributes
    ----------
    index
        From 0; with the seed it determines everything about the species but which names were taken.
    latent
        Its position on the axes of `Axis`, and its private dimensions.
    traits
        All 34 labels, true or false.
    """

    index: int
    taxon: Taxon
    place: TreePlace
    latent: Latent
    looks: Looks
    voice: Voice
    ecology: Ecology
    traits: dict[str, bool]


@dataclass(frozen=True, slots=True)
class Fauna:
    """Simulated species, in the order in which they came.

    Examples
    --------
    >>> fauna = Fauna.grow(60)
    >>> fauna.species[0].taxon.class_, len(fauna.species[0].traits)
    ('Aves', 34)
    """

    seed: int
    species: tuple[SpeciesTruth, ...]

    @classmethod
    def grow(cls, species: int, seed: int = 0) -> Fauna:
        """Return a fauna of ``species`` species. A smaller one of the same seed is its beginning.

        Raises
        ------
        DatasetError
            Where ``species`` is less than 1 or the seed is negative.
        """
        if species < 1:
            raise DatasetError(f"species is {species}; it has to be 1 or more")
        if seed < 0:
            raise DatasetError(f"seed is {seed}; it has to be 0 or more")
        places = grow_tree(species, seed)
        naming = Naming(seed)
        found = []
        for place, latent in zip(places, evolve(places, seed), strict=True):
            looks = looks_of(place.archetype, latent)
            voice = voice_of(latent)
            ecology = ecology_of(place.archetype, latent)
            name = naming.name(place, latent, looks, voice, ecology)
            taxon = Taxon(
                id=taxon_id_of(name.scientific),
                scientific_name=name.scientific,
                common_name=name.common,
                kingdom="Animalia",
                phylum=name.phylum,
                class_=name.class_,
                order=name.order,
                family=name.family,
                genus=name.genus,
            )
            found.append(
                SpeciesTruth(place.index, taxon, place, latent, looks, voice, ecology, traits_of(ecology))
            )
        return cls(seed, tuple(found))

    @property
    def taxonomy(self) -> Taxonomy:
        """The taxonomy of its species."""
        return Taxonomy.of(truth.taxon for truth in self.species)
