"""What kinds of animal there are before evolution bends them: body plan, voices, way of life, and the words for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from biovita.simulate.axes import Axis

__all__ = ["ARCHETYPES", "CLASSES", "AnimalClass", "Archetype", "groups_of"]


@dataclass(frozen=True, slots=True)
class AnimalClass:
    """A class: its real name and lineage, and how common it is in the fauna."""

    name: str
    phylum: str
    share: float
    order_ending: str


CLASSES: tuple[AnimalClass, ...] = (
    AnimalClass("Aves", "Chordata", 0.52, "iformes"),
    AnimalClass("Mammalia", "Chordata", 0.16, "imorpha"),
    AnimalClass("Amphibia", "Chordata", 0.16, "batrachia"),
    AnimalClass("Insecta", "Arthropoda", 0.16, "optera"),
)


@dataclass(frozen=True, slots=True)
class Archetype:
    """A kind of animal that a family starts from.

    Attributes
    ----------
    noun, stem
        The group's common noun, and the Latin stem that its family and genera are named with.
    group
        Archetypes of one group share an order.
    plan
        The body plan that draws it.
    voices
        Names of `VOICES` it may call with; a family takes one.
    cm
        Length at size 0.
    axes
        Where on the axes the family starts, instead of 0.
    shape
        Proportions of the body plan, in body lengths.
    diet, lifestyle
        Weights of diets and lifestyles.
    moves
        Ways of moving it has, the main one first.
    """

    noun: str
    stem: str
    class_: str
    group: str
    plan: str
    voices: tuple[str, ...]
    cm: float
    diet: Mapping[str, float]
    lifestyle: str
    moves: tuple[str, ...]
    axes: Mapping[Axis, float] = field(default_factory=dict)
    shape: Mapping[str, float] = field(default_factory=dict)


_S, _C, _W, _N, _D = Axis.SIZE, Axis.COVER, Axis.WATER, Axis.NIGHT, Axis.DISPLAY


def _bird(noun: str, stem: str, group: str, voices: str, cm: float, diet: str, lifestyle: str, moves: str,
          axes: Mapping[Axis, float], **shape: float) -> Archetype:  # fmt: skip
    return _make(noun, stem, "Aves", group, "bird", voices, cm, diet, lifestyle, moves, axes, shape)


def _make(noun: str, stem: str, class_: str, group: str, plan: str, voices: str, cm: float, diet: str,
          lifestyle: str, moves: str, axes: Mapping[Axis, float], shape: Mapping[str, float]) -> Archetype:  # fmt: skip
    foods = diet.split()
    weights = {food: 1.0 / (rank + 1) for rank, food in enumerate(foods)}
    return Archetype(noun, stem, class_, group, plan, tuple(voices.split()), cm, weights, lifestyle,
                     tuple(moves.split()), dict(axes), dict(shape))  # fmt: skip


# Shapes. bird: depth of the body, tilt in degrees, neck, head radius, leg, bill, bill_depth, hook, tail, fork, crest.
_BIRDS = (
    _bird("wren", "Troglin", "song", "trill warble buzz", 11, "insectivore", "arboreal", "flying leaping", {},
          depth=0.72, tilt=18, head=0.22, leg=0.22, bill=0.17, bill_depth=0.07, tail=0.28, cock=50),
    _bird("warbler", "Sylvan", "song", "warble twitter whistle", 13, "insectivore frugivore", "arboreal",
          "flying", {_C: 0.3}, depth=0.55, tilt=28, head=0.20, leg=0.24, bill=0.13, bill_depth=0.07, tail=0.42),
    _bird("finch", "Fringin", "song", "chirp twitter trill", 14, "granivore herbivore", "arboreal", "flying",
          {_C: -0.4}, depth=0.60, tilt=32, head=0.24, leg=0.20, bill=0.16, bill_depth=0.18, tail=0.40, fork=0.3),
    _bird("thrush", "Merul", "song", "whistle warble", 23, "frugivore insectivore", "terrestrial",
          "flying walking", {_C: 0.4}, depth=0.56, tilt=36, head=0.20, leg=0.32, bill=0.17, bill_depth=0.08, tail=0.45),
    _bird("crow", "Corvin", "song", "caw rattle", 44, "omnivore carnivore", "terrestrial", "flying walking", {_S: 0.6},
          depth=0.52, tilt=22, head=0.21, leg=0.30, bill=0.28, bill_depth=0.14, tail=0.42),
    _bird("swallow", "Hirundell", "swift", "twitter chirp", 16, "insectivore", "aerial", "flying", {_C: -0.5},
          depth=0.42, tilt=8, head=0.19, leg=0.06, bill=0.07, bill_depth=0.07, tail=0.60, fork=1.0, wing=1.6),
    _bird("hummingbird", "Trochin", "swift", "tick twitter", 9, "nectarivore insectivore", "aerial", "flying",
          {_D: 0.7, _S: -0.9}, depth=0.46, tilt=52, head=0.20, leg=0.05, bill=0.62, bill_depth=0.035, tail=0.36, wing=1.1),
    _bird("duck", "Anatell", "waterfowl", "quack whistle", 52, "herbivore omnivore", "aquatic", "swimming flying",
          {_W: 1.3}, depth=0.50, tilt=2, neck=0.22, head=0.19, leg=0.0, bill=0.26, bill_depth=0.10, tail=0.18, flat=1),
    _bird("grebe", "Podicip", "waterfowl", "rattle peep", 34, "piscivore insectivore", "aquatic", "swimming",
          {_W: 1.3}, depth=0.52, tilt=4, neck=0.40, head=0.15, leg=0.0, bill=0.20, bill_depth=0.06, tail=0.06, crest=0.5),
    _bird("heron", "Ardel", "wader", "caw boom", 85, "piscivore carnivore", "terrestrial", "walking flying",
          {_W: 1.1, _S: 0.8}, depth=0.44, tilt=34, neck=0.85, head=0.12, leg=0.95, bill=0.50, bill_depth=0.08, tail=0.20),
    _bird("sandpiper", "Calidrin", "wader", "peep whistle", 20, "insectivore carnivore", "terrestrial",
          "walking flying", {_W: 1.1, _C: -0.9}, depth=0.52, tilt=14, neck=0.12, head=0.17, leg=0.48, bill=0.44,
          bill_depth=0.05, tail=0.22),
    _bird("gull", "Larin", "waterfowl", "mew caw", 46, "omnivore piscivore", "aquatic", "flying swimming walking",
          {_W: 1.5, _C: -1.1}, depth=0.46, tilt=10, neck=0.12, head=0.18, leg=0.24, bill=0.24, bill_depth=0.09, hook=0.4,
          tail=0.30),
    _bird("rail", "Rallin", "waterfowl", "rattle peep", 26, "omnivore insectivore", "terrestrial", "walking",
          {_W: 1.0}, depth=0.62, tilt=14, neck=0.18, head=0.16, leg=0.44, bill=0.28, bill_depth=0.09, tail=0.15, cock=30),
    _bird("hawk", "Accipit", "raptor", "screech whistle", 50, "carnivore", "arboreal", "flying", {_S: 0.6},
          depth=0.58, tilt=58, head=0.20, leg=0.20, bill=0.14, bill_depth=0.13, hook=1.0, tail=0.50),
    _bird("owl", "Strigin", "raptor", "hoot screech", 36, "carnivore", "arboreal", "flying", {_N: 1.5},
          depth=0.70, tilt=74, head=0.33, leg=0.12, bill=0.08, bill_depth=0.09, hook=1.0, tail=0.26, disc=1),
    _bird("dove", "Columbin", "landfowl", "coo hoot", 31, "granivore frugivore", "arboreal", "flying walking", {},
          depth=0.58, tilt=20, neck=0.06, head=0.16, leg=0.16, bill=0.12, bill_depth=0.05, tail=0.50),
    _bird("woodpecker", "Picin", "climber", "drum rattle", 24, "insectivore frugivore", "arboreal",
          "climbing flying", {_C: 0.9}, depth=0.46, tilt=72, head=0.21, leg=0.14, bill=0.34, bill_depth=0.08, tail=0.34,
          crest=0.4, trunk=1),
    _bird("kingfisher", "Alcyon", "climber", "rattle peep", 20, "piscivore insectivore", "arboreal", "flying",
          {_W: 0.9, _D: 0.5}, depth=0.60, tilt=56, head=0.30, leg=0.06, bill=0.50, bill_depth=0.11, tail=0.22, crest=0.4),
    _bird("parrot", "Psittin", "climber", "chatter screech", 32, "frugivore granivore", "arboreal",
          "climbing flying", {_D: 0.9, _C: 0.5}, depth=0.52, tilt=62, head=0.25, leg=0.12, bill=0.17, bill_depth=0.22,
          hook=1.4, tail=0.62),
    _bird("quail", "Phasin", "landfowl", "whistle coo", 30, "granivore herbivore", "terrestrial", "walking",
          {_C: -0.3}, depth=0.74, tilt=16, neck=0.08, head=0.16, leg=0.26, bill=0.10, bill_depth=0.09, tail=0.22, crest=0.5),
)  # fmt: skip


def _beast(noun: str, stem: str, group: str, plan: str, voices: str, cm: float, diet: str, lifestyle: str, moves: str,
           axes: Mapping[Axis, float], **shape: float) -> Archetype:  # fmt: skip
    return _make(noun, stem, "Mammalia", group, plan, voices, cm, diet, lifestyle, moves, axes, shape)


# Shapes. mammal: depth, leg, neck, head, snout, ear (and round or pointed), tail (and bushy), horn, hump, arm.
_BEASTS = (
    _beast("mouse", "Murin", "rodent", "mammal", "squeak chuck", 9, "granivore omnivore", "terrestrial",
           "walking leaping", {_S: -0.9, _N: 0.6}, depth=0.52, leg=0.14, neck=0.0, head=0.20, snout=0.14, ear=0.16,
           round=1, tail=0.85, hump=0.2),
    _beast("squirrel", "Sciurin", "rodent", "mammal", "chuck bark", 24, "granivore frugivore", "arboreal",
           "climbing leaping", {_C: 0.6}, depth=0.42, leg=0.20, neck=0.04, head=0.18, snout=0.10, ear=0.12, round=0.4,
           tail=0.85, bushy=1, hump=0.22),
    _beast("hare", "Leporin", "rodent", "mammal", "squeak grunt", 48, "herbivore", "terrestrial",
           "leaping walking", {_C: -0.6}, depth=0.46, leg=0.28, neck=0.04, head=0.18, snout=0.12, ear=0.42, round=0.5,
           tail=0.08, bushy=1, hump=0.25),
    _beast("deer", "Cervin", "hoofed", "mammal", "bark bellow", 150, "herbivore", "terrestrial", "walking leaping",
           {_S: 0.9, _C: 0.4}, depth=0.38, leg=0.58, neck=0.34, head=0.13, snout=0.20, ear=0.15, tail=0.08, horn=1.0),
    _beast("goat", "Caprin", "hoofed", "mammal", "bleat grunt", 120, "herbivore", "terrestrial",
           "walking climbing", {_S: 0.7, _C: -0.7}, depth=0.46, leg=0.44, neck=0.22, head=0.14, snout=0.18, ear=0.14,
           tail=0.10, horn=0.5, curl=1, beard=1),
    _beast("boar", "Suin", "hoofed", "mammal", "grunt growl", 130, "omnivore", "terrestrial", "walking",
           {_S: 0.7}, depth=0.54, leg=0.28, neck=0.04, head=0.20, snout=0.26, ear=0.12, tail=0.20, mane=1),
    _beast("fox", "Vulpin", "hunter", "mammal", "howl bark", 65, "carnivore omnivore", "terrestrial", "walking",
           {_N: 0.4}, depth=0.34, leg=0.36, neck=0.12, head=0.16, snout=0.20, ear=0.18, tail=0.62, bushy=1),
    _beast("cat", "Felin", "hunter", "mammal", "growl mew", 80, "carnivore", "terrestrial", "walking climbing",
           {_N: 0.5}, depth=0.36, leg=0.34, neck=0.06, head=0.18, snout=0.08, ear=0.11, tail=0.70),
    _beast("otter", "Lutrin", "hunter", "mammal", "squeak chatter", 70, "piscivore carnivore", "aquatic",
           "swimming walking", {_W: 1.4}, depth=0.34, leg=0.16, neck=0.14, head=0.16, snout=0.10, ear=0.05, round=1,
           tail=0.60, thick=1),
    _beast("seal", "Phocin", "hunter", "seal", "bellow bark", 170, "piscivore", "aquatic", "swimming",
           {_W: 1.9, _C: -1.2, _S: 0.8}, depth=0.40, head=0.17, snout=0.10),
    _beast("bat", "Vespertin", "primate", "bat", "click squeak", 8, "insectivore frugivore", "aerial", "flying",
           {_N: 1.7, _S: -0.8}, ear=0.20, wing=1.0),
    _beast("monkey", "Simin", "primate", "monkey", "whoop chatter", 50, "frugivore omnivore", "arboreal",
           "climbing leaping", {_C: 1.1}, depth=0.40, head=0.22, tail=1.0, arm=0.5, ear=0.09),
)  # fmt: skip


def _frog(noun: str, stem: str, group: str, voices: str, cm: float, lifestyle: str, moves: str,
          axes: Mapping[Axis, float], **shape: float) -> Archetype:  # fmt: skip
    return _make(noun, stem, "Amphibia", group, "frog", voices, cm, "insectivore carnivore", lifestyle, moves, axes,
                 shape)  # fmt: skip


# Shapes. frog: depth, hind leg, snout, eye, pads on the toes, warts, slope of the back.
_FROGS = (
    _frog("treefrog", "Hylin", "tree", "pipe ribbit", 5, "arboreal", "climbing leaping", {_C: 0.6, _N: 0.6},
          depth=0.40, leg=0.62, snout=0.14, eye=0.15, pads=1, slope=20),
    _frog("frog", "Ranul", "pond", "croak plonk", 9, "aquatic", "leaping swimming", {_W: 1.1}, depth=0.46, leg=0.66,
          snout=0.20, eye=0.13, slope=26),
    _frog("toad", "Bufonin", "pond", "purr snore", 8, "terrestrial", "walking leaping", {_C: -0.3}, depth=0.62,
          leg=0.40, snout=0.12, eye=0.12, warts=1, slope=30),
    _frog("dartfrog", "Dendrob", "tree", "creak pipe", 3, "terrestrial", "leaping", {_D: 1.4, _C: 0.9}, depth=0.36,
          leg=0.50, snout=0.14, eye=0.11, pads=0.5, slope=16),
    _frog("bullfrog", "Pelobin", "pond", "snore croak", 14, "aquatic", "leaping swimming", {_W: 1.0, _S: 0.8},
          depth=0.58, leg=0.60, snout=0.18, eye=0.11, slope=20, drum=1),
)  # fmt: skip


def _insect(noun: str, stem: str, group: str, plan: str, voices: str, cm: float, diet: str, lifestyle: str,
            moves: str, axes: Mapping[Axis, float], **shape: float) -> Archetype:  # fmt: skip
    return _make(noun, stem, "Insecta", group, plan, voices, cm, diet, lifestyle, moves, axes, shape)


# Shapes. hopper: depth, hind leg, antenna, wing (and leafy), head. cicada, bee, beetle: depth, wing, antenna, horn.
_INSECTS = (
    _insect("cricket", "Gryllin", "hopper", "hopper", "chirr thrum", 2.2, "omnivore herbivore", "terrestrial",
            "walking leaping", {_N: 0.9}, depth=0.30, leg=0.50, antenna=0.85, wing=0.55, head=0.15, cerci=1),
    _insect("katydid", "Tettigin", "hopper", "hopper", "rasp zip", 4.5, "herbivore", "arboreal", "leaping climbing",
            {_N: 0.7, _C: 0.6, Axis.WARMTH: -0.8}, depth=0.30, leg=0.78, antenna=1.2, wing=1.15, leafy=1, head=0.11),
    _insect("grasshopper", "Acridin", "hopper", "hopper", "zip lisp", 3, "herbivore", "terrestrial", "leaping flying",
            {_C: -1.1, _N: -0.5}, depth=0.26, leg=0.66, antenna=0.28, wing=0.90, head=0.14),
    _insect("cicada", "Cicadin", "winged", "cicada", "drone rasp", 3.5, "herbivore", "arboreal", "flying climbing",
            {_N: -0.7, _C: 0.3}, depth=0.36, wing=1.05, antenna=0.12, head=0.19),
    _insect("bee", "Apin", "winged", "bee", "hum", 1.6, "nectarivore", "aerial", "flying", {_N: -0.8, _D: 0.6},
            depth=0.42, wing=0.70, antenna=0.22, head=0.16),
    _insect("beetle", "Scarin", "winged", "beetle", "creak", 3, "herbivore omnivore", "terrestrial", "walking flying",
            {_D: 0.4}, depth=0.42, antenna=0.30, horn=0.3, head=0.14),
)  # fmt: skip

ARCHETYPES: tuple[Archetype, ...] = (*_BIRDS, *_BEASTS, *_FROGS, *_INSECTS)


def groups_of(class_name: str) -> dict[str, tuple[Archetype, ...]]:
    """Return the archetypes of a class by group, in the order in which they are listed."""
    groups: dict[str, tuple[Archetype, ...]] = {}
    for archetype in ARCHETYPES:
        if archetype.class_ == class_name:
            groups[archetype.group] = (*groups.get(archetype.group, ()), archetype)
    return groups
