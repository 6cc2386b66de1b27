"""The words that names are made of: what an axis, a colour, a part or a pattern is called."""

from __future__ import annotations

from biovita.simulation.axes import Axis

__all__ = [
    "AXIS_GENUS", "AXIS_WORDS", "COLOUR_GENUS", "COLOUR_LATIN", "COLOUR_WORDS", "HABITAT_GENUS", "HABITAT_WORDS",
    "PART_WORDS", "PATTERN_WORDS", "STEM_PREFIXES", "SYLLABLES",
]  # fmt: skip

# (axis, sign): English, Latin (masculine). Size, cover and night have a second, stronger word.
AXIS_WORDS: dict[tuple[Axis, int], tuple[tuple[str, str], ...]] = {
    (Axis.SIZE, 1): (("Great", "magnus"), ("Giant", "giganteus")),
    (Axis.SIZE, -1): (("Lesser", "parvus"), ("Pygmy", "pygmaeus")),
    (Axis.NIGHT, 1): (("Dusk", "vespertinus"), ("Night", "nocturnus")),
    (Axis.NIGHT, -1): (("Sun", "solaris"), ("Sun", "solaris")),
    (Axis.DISPLAY, 1): (("Ornate", "ornatus"), ("Splendid", "splendidus")),
    (Axis.DISPLAY, -1): (("Plain", "simplex"), ("Drab", "modestus")),
    (Axis.TEMPO, 1): (("Nimble", "agilis"), ("Swift", "rapidus")),
    (Axis.TEMPO, -1): (("Slow", "lentus"), ("Slow", "tardus")),
    (Axis.HARSH, 1): (("Rasping", "raucus"), ("Harsh", "stridulus")),
    (Axis.HARSH, -1): (("Mellow", "suavis"), ("Fluting", "canorus")),
    (Axis.SOCIAL, 1): (("Social", "socius"), ("Flocking", "gregarius")),
    (Axis.SOCIAL, -1): (("Lone", "solitarius"), ("Hermit", "eremitus")),
    (Axis.COLD, 1): (("Northern", "borealis"), ("Snow", "nivalis")),
    (Axis.COLD, -1): (("Southern", "australis"), ("Tropical", "tropicus")),
}

HABITAT_WORDS: dict[str, tuple[str, str]] = {
    "forest": ("Forest", "silvaticus"),
    "shrubland": ("Thicket", "dumeticus"),
    "grassland": ("Field", "campestris"),
    "wetland": ("Marsh", "palustris"),
    "marine": ("Sea", "marinus"),
    "human-modified": ("Town", "urbanus"),
}
COLOUR_WORDS: dict[str, str] = {
    "black": "Black", "white": "White", "grey": "Grey", "brown": "Brown", "rufous": "Rufous", "sandy": "Sandy",
    "olive": "Olive", "red": "Red", "orange": "Orange", "yellow": "Yellow", "green": "Green", "blue": "Blue",
    "violet": "Violet", "pink": "Pink",
}  # fmt: skip
# As a word of its own, and as the first half of a compound.
COLOUR_LATIN: dict[str, tuple[str, str]] = {
    "black": ("niger", "nigri"), "white": ("albus", "albi"), "grey": ("cinereus", "cinerei"),
    "brown": ("brunneus", "brunnei"), "rufous": ("rufus", "rufi"), "sandy": ("arenarius", "areni"),
    "olive": ("olivaceus", "olivi"), "red": ("ruber", "rubri"), "orange": ("aurantius", "auranti"),
    "yellow": ("flavus", "flavi"), "green": ("viridis", "viridi"), "blue": ("caeruleus", "caerulei"),
    "violet": ("violaceus", "violi"), "pink": ("roseus", "rosei"),
}  # fmt: skip
# Part: English participle, second half of a Latin compound (the same in all genders).
PART_WORDS: dict[str, tuple[str, str]] = {
    "crown": ("crowned", "ceps"), "throat": ("throated", "gularis"), "breast": ("breasted", "pectoralis"),
    "wing": ("winged", "pennis"), "tail": ("tailed", "caudalis"), "face": ("faced", "frons"),
    "back": ("backed", "dorsalis"), "belly": ("bellied", "ventris"), "foot": ("footed", "pes"),
    "ear": ("eared", "auris"), "leg": ("legged", "cruralis"), "eye": ("eyed", "ocularis"),
    "flank": ("sided", "lateralis"), "head": ("headed", "capitis"),
}  # fmt: skip
PATTERN_WORDS: dict[str, tuple[str, str]] = {
    "barred": ("Barred", "fasciatus"),
    "spotted": ("Spotted", "maculatus"),
    "streaked": ("Streaked", "striatus"),
}

# What a genus name adds to its family's stem, for what most of its species share.
AXIS_GENUS: dict[tuple[Axis, int], str] = {
    (Axis.SIZE, 1): "megas", (Axis.SIZE, -1): "micra", (Axis.NIGHT, 1): "nyctis", (Axis.NIGHT, -1): "helia",
    (Axis.DISPLAY, 1): "calla", (Axis.DISPLAY, -1): "litus", (Axis.TEMPO, 1): "dromus", (Axis.TEMPO, -1): "brada",
    (Axis.HARSH, 1): "trachus", (Axis.HARSH, -1): "melpa", (Axis.SOCIAL, 1): "agela", (Axis.SOCIAL, -1): "monus",
    (Axis.COLD, 1): "cryas", (Axis.COLD, -1): "therma",
}  # fmt: skip
HABITAT_GENUS: dict[str, str] = {
    "forest": "drymus", "shrubland": "thamna", "grassland": "agrus", "wetland": "limna", "marine": "thalassa",
    "human-modified": "oecus",
}  # fmt: skip
COLOUR_GENUS: dict[str, str] = {
    "black": "melas", "white": "leuca", "grey": "polius", "brown": "phaea", "rufous": "pyrrha", "sandy": "amma",
    "olive": "elaea", "red": "erythra", "orange": "citra", "yellow": "xantha", "green": "chlora", "blue": "cyana",
    "violet": "porphyra", "pink": "rhoda",
}  # fmt: skip

STEM_PREFIXES = ("", "Para", "Neo", "Eu", "Pro", "Meta", "Allo", "Hemi", "Pseudo", "Xeno", "Archi", "Syn")
# Onsets and vowels of coined places; chosen so that no combination is a word to avoid.
SYLLABLES: tuple[tuple[str, ...], tuple[str, ...]] = (
    ("b", "d", "l", "m", "n", "r", "s", "t", "v", "z", "th", "br", "dr", "tr", "k", "g"),
    ("a", "e", "i", "o", "u", "ia", "ea"),
)
