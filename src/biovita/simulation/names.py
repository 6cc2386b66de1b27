"""Names: Latin binomials built from family, looks and voice, and common names that say what one sees or hears.

``Parasylvixantha palustris``, the Marsh Yellow-winged Warble-warbler: the family's stem, what its genus shares, and
what tells the species from the others. Names are given in the order of the species; later ones make way for earlier.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from biovita.simulation.archetypes import CLASSES
from biovita.simulation.axes import Axis
from biovita.simulation.ecology import Ecology
from biovita.simulation.evolve import Latent
from biovita.simulation.lexicon import (
    AXIS_GENUS,
    AXIS_WORDS,
    COLOUR_GENUS,
    COLOUR_LATIN,
    COLOUR_WORDS,
    HABITAT_GENUS,
    HABITAT_WORDS,
    PART_WORDS,
    PATTERN_WORDS,
    STEM_PREFIXES,
    SYLLABLES,
)
from biovita.simulation.looks import Looks
from biovita.simulation.seeds import stream
from biovita.simulation.tree import TreePlace
from biovita.simulation.voice import Voice
from biovita.simulation.voices import VOICES

__all__ = ["Naming", "SpeciesName"]

_STRONG = 1.4  # where the stronger of an axis' two words starts
_MISSING_ORDER, _MISSING_FAMILY = 0.04, 0.04  # families without an order, genera without a family


@dataclass(frozen=True, slots=True)
class SpeciesName:
    """The names of a species and of the groups that it belongs to; a middle rank may be missing."""

    scientific: str
    common: str
    genus: str
    family: str | None
    order: str | None
    class_: str
    phylum: str


class Naming:
    """Gives names, each once."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._stems: dict[int, str] = {}  # family -> stem
        self._orders: dict[int, str] = {}
        self._genera: dict[int, str] = {}
        self._taken: set[str] = set()
        self._ranks: Counter[str] = Counter()

    def name(self, place: TreePlace, latent: Latent, looks: Looks, voice: Voice, ecology: Ecology) -> SpeciesName:
        """Return the names of the next species."""
        kind = CLASSES[place.class_index]
        stem = self._stem(place)
        genus = self._genus(place, stem, latent, looks, ecology)
        words = list(_words(latent, looks, ecology))
        no_order = stream(self._seed, "no-order", place.family).random() < _MISSING_ORDER
        no_family = stream(self._seed, "no-family", place.genus).random() < _MISSING_FAMILY
        return SpeciesName(
            scientific=self._binomial(genus, words, place),
            common=self._common(words, voice, place),
            genus=genus,
            family=None if no_family else f"{stem}idae",
            order=None if no_order else self._order(place, stem, kind.order_ending),
            class_=kind.name,
            phylum=kind.phylum,
        )

    def _claim(self, names: Iterator[str]) -> str:
        for name in names:
            if name not in self._taken:
                self._taken.add(name)
                return name
        raise AssertionError("coined names never end")

    def _stem(self, place: TreePlace) -> str:
        if place.family not in self._stems:
            plain = place.archetype.stem
            prefixed = (prefix + (plain if not prefix else plain.lower()) for prefix in STEM_PREFIXES)
            coined = (word + plain.lower() for word in _coin(self._seed, "stem", place.family))
            self._stems[place.family] = self._claim(_chain(prefixed, coined))
        return self._stems[place.family]

    def _order(self, place: TreePlace, stem: str, ending: str) -> str:
        if place.order not in self._orders:
            self._orders[place.order] = f"{stem}{ending}"
        return self._orders[place.order]

    def _genus(self, place: TreePlace, stem: str, latent: Latent, looks: Looks, ecology: Ecology) -> str:
        if place.genus not in self._genera:
            endings = _genus_endings(latent, looks, ecology)
            plain = (f"{stem}o{ending}" for ending in endings)
            twice = (f"{stem}o{first[:-2]}o{last}" for first in endings for last in endings if first != last)
            coined = (f"{stem}{word.lower()}a" for word in _coin(self._seed, "genus", place.genus))
            self._genera[place.genus] = self._claim(_chain(plain, twice, coined))
        return self._genera[place.genus]

    def _binomial(self, genus: str, words: Sequence[tuple[str, str]], place: TreePlace) -> str:
        epithets = (_agree(latin, genus) for _, latin in words)
        coined = (f"{word.lower()}ensis" for word in _coin(self._seed, "place", place.index))
        return self._claim(f"{genus} {epithet}" for epithet in _chain(epithets, coined))

    def _common(self, words: Sequence[tuple[str, str]], voice: Voice, place: TreePlace) -> str:
        noun = f"{VOICES[voice.kind].word}-{place.archetype.noun}"
        english = [word for word, _ in words]
        colours = [word for word in english if "-" in word]
        others = [word for word in english if "-" not in word]
        pairs = (f"{other} {colour} {noun}" for other in others for colour in colours)
        threes = (
            f"{one} {other} {colour} {noun}"
            for one in others
            for other in others[1:]
            if one != other
            for colour in colours
        )
        coined = (f"{word} {colours[0]} {noun}" for word in _coin(self._seed, "place", place.index))
        return self._claim(_chain(pairs, threes, coined))


def _chain(*parts: Iterator[str]) -> Iterator[str]:
    for part in parts:
        yield from part


def _agree(latin: str, genus: str) -> str:
    """Return the epithet in the gender that the genus ends in."""
    if not genus.endswith("a"):
        return latin
    if latin.endswith("us"):
        return f"{latin[:-2]}a"
    return {"niger": "nigra", "ruber": "rubra"}.get(latin, latin)


def _coin(seed: int, purpose: str, index: int) -> Iterator[str]:
    """Yield invented place names without end."""
    rng = stream(seed, f"coin-{purpose}", index)
    onsets, vowels = SYLLABLES
    while True:
        count = int(rng.integers(2, 4))
        word = "".join(onsets[rng.integers(len(onsets))] + vowels[rng.integers(len(vowels))] for _ in range(count))
        yield (word + "nlr"[rng.integers(3)]).capitalize()


def _axis_salience(latent: Latent) -> list[tuple[float, Axis, int]]:
    """Return the axes by how much a species stands out on them, from all others and from its genus."""
    found = []
    for axis in {axis for axis, _ in AXIS_WORDS}:
        value, own = float(latent.axes[axis]), float(latent.axes[axis] - latent.genus_axes[axis])
        sign = 1 if value > 0 else -1
        found.append((abs(value) + 0.5 * max(0.0, sign * own), axis, sign))
    return sorted(found, key=lambda item: (-item[0], item[1]))


def _words(latent: Latent, looks: Looks, ecology: Ecology) -> Iterator[tuple[str, str]]:
    """Yield what could be said of a species, English and Latin, the most telling first."""
    said: list[tuple[float, tuple[str, str]]] = []
    for salience, axis, sign in _axis_salience(latent):
        mild, strong = AXIS_WORDS[axis, sign]
        said.append((salience, strong if abs(latent.axes[axis]) > _STRONG else mild))
    cover, water, tame = (abs(float(latent.axes[axis])) for axis in (Axis.COVER, Axis.WATER, Axis.TAME))
    said.append((0.4 + 0.8 * max(cover, water, tame), HABITAT_WORDS[ecology.habitats[0]]))
    part, latin_part = PART_WORDS[looks.accent_part]
    compound = (f"{COLOUR_WORDS[looks.accent]}-{part}", f"{COLOUR_LATIN[looks.accent][1]}{latin_part}")
    said.append((1.5, compound))
    said.append((1.3, (COLOUR_WORDS[looks.body], COLOUR_LATIN[looks.body][0])))
    if looks.pattern != "plain":
        said.append((0.6 + looks.pattern_strength, PATTERN_WORDS[looks.pattern]))
    yield from (words for _, words in sorted(said, key=lambda item: -item[0]))


def _genus_endings(latent: Latent, looks: Looks, ecology: Ecology) -> list[str]:
    values = latent.genus_axes
    said = [
        (abs(float(values[axis])), AXIS_GENUS[axis, 1 if values[axis] > 0 else -1])
        for axis in sorted({axis for axis, _ in AXIS_GENUS})
    ]
    widest = max(abs(float(values[axis])) for axis in (Axis.COVER, Axis.WATER, Axis.TAME))
    said.append((0.3 + 0.8 * widest, HABITAT_GENUS[ecology.habitats[0]]))
    said.append((1.1, COLOUR_GENUS[looks.body]))
    said.append((0.9, COLOUR_GENUS[looks.accent]))
    return [ending for _, ending in sorted(said, key=lambda item: -item[0])]
