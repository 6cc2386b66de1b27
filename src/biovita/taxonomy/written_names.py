"""Taxa in the names that people give to folders and files of recordings and photographs."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from biovita.taxonomy.characters import plain_characters
from biovita.taxonomy.known_taxa import known_taxa
from biovita.taxonomy.name_words import REMARKS, looks_latin
from biovita.taxonomy.parse import NameKind, fold, parse_name
from biovita.taxonomy.taxon import RANKS, Rank, Taxon, taxon_id_of

__all__ = ["NameSource", "WrittenName", "file_taxon", "folder_taxon"]

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_POSSESSIVE = re.compile(r"'s?\b")
_BETWEEN = re.compile(r"\s*[,;&+]\s*|\s+(?:and|und|et|y|vs|with)\s+", re.IGNORECASE)
_SEGMENT = re.compile(r"\s+-+\s+|[()\[\]]|__+")
_LABEL = re.compile(r"([A-Z][a-z-]{2,}) ([a-z-]{3,})_([^\Wa-z_].*)")  # of BirdNET: Parus major_Great Tit
_LINEAGE = re.compile(r"\d+_(Animalia|Plantae|Fungi|Chromista|Protozoa|Bacteria|Archaea)(?:_([A-Za-z-]+)){6}")
_LONGEST = 3  # words of a scientific name
_SHORTEST = 4  # letters of each word of a name that goes by its form alone
# Words of folders and files that end as Latin words do; none of them is part of a name that goes by its form alone.
_WORDS_OF_FILES = """
    active alpha ambient annotation annotations area audio background bats beta birds camera canopy city data date
    delta demo device digital extra extras feature folder folders gallery gamma garden general habitat image images
    import index interior invertebrates island label labels local location loggers lower mammals media medium meta
    metadata mini misc mobile mono negative night noise normal original originals other others output outside patch
    photo photos picture pictures place plantation plot plots point points positive private processed project
    projects public quality quarry radio random record recorder recorders recording records reference region
    reserve reserves river samples sensor sensors series session sessions setup silence site sites sounds source
    sources species standard station stations status stereo studio sub subset summer survey surveys target test
    times tracks train trail transect transects trial unknown upper urban validation various version versions
    videos visit visits voice water waves winter zone zones
"""
_NO_NAMES = frozenset(_WORDS_OF_FILES.split())


class NameSource(StrEnum):
    """What a name was recognised by."""

    SCIENTIFIC = "scientific name"
    COMMON = "common name"
    LINEAGE = "lineage"  # as folders of iNaturalist's competitions have it
    FORM = "form alone"  # that of a scientific name, which the package does not know


@dataclass(frozen=True, slots=True)
class WrittenName:
    """What the name of a folder or file says of a taxon.

    Attributes
    ----------
    taxon
        What it names; None where it names none, or several.
    by
        How it was recognised.
    text
        The words of the name that say so.
    several
        The names of the taxa, where it names more than one.
    why
        Where it might name a taxon and is not taken: the reason, as a sentence without its subject.
    """

    taxon: Taxon | None = None
    by: NameSource | None = None
    text: str = ""
    several: tuple[str, ...] = ()
    why: str | None = None


_NOTHING = WrittenName()


@cache
def folder_taxon(name: str) -> WrittenName:
    """Return the taxon that the name of a folder names.

    These are read, in any case, with spaces, underscores, hyphens or capitals between the words, and with a number
    before or after them:

    - a scientific name, a synonym or the name of a group that the package knows (`known_taxa`), also with other words
      behind it: ``Parus_major``, ``003.Parus major (12)``, ``Parus major song``, ``Aves``;
    - a common name that the package knows, alone: ``Great Tit``, ``001.Black_footed_Albatross``. It may lack its
      apostrophe (``Brewer_Blackbird``);
    - a lineage (``00042_Animalia_Chordata_Aves_Passeriformes_Paridae_Parus_major``), and a label of BirdNET
      (``Parus major_Great Tit``);
    - two words with the form of a scientific name: of a genus that the package knows, or where both words have Latin
      endings (see `name_words.looks_latin`).

    Where it names several taxa, or one that is not certain (``Parus cf. major``), no taxon is returned.

    Examples
    --------
    >>> folder_taxon("001.Black_footed_Albatross").taxon.scientific_name
    'Phoebastria nigripes'
    >>> folder_taxon("Alarm call").taxon is None, folder_taxon("Parus major & Corvus corax").several
    (True, ('Parus major', 'Corvus corax'))
    """
    text = plain_characters(name)
    if lineage := _of_lineage(text):
        return lineage
    label = _LABEL.fullmatch(text)
    if label and _index().scientific.get(_key(label.groups()[:2])) is None:
        taxon = replace(_of_form(label[1], label[2]), common_name=label[3])
        return WrittenName(taxon, NameSource.FORM, text)
    words = _words(text)
    doubt = _doubtful(" ".join(text.replace("_", " ").split()))
    if doubt is not None:
        return doubt
    if found := _of_scientific(words):
        return found
    if found := _of_several_common(text):
        return found
    said = [word for word in words if word.lower() not in REMARKS]
    return _alone(words) or (_by_form(said) if len(said) == 2 else None) or _NOTHING


def file_taxon(stem: str, hint: str | None = None) -> WrittenName:
    """Return the taxon that the name of a file names, without its ending.

    A scientific name that the package knows counts wherever it stands (``XC12 - Great Tit - Parus major``,
    ``parus_major_01``, ``2024-05-01 Parus major 3``). A common name counts where it is all between hyphens, brackets
    and numbers, beside words such as ``song`` (``great_tit_call_3``), and only where there is no scientific one, for
    lists of common names differ. A name that the package does not know is taken for its form where it begins the file
    name, with a capital.

    Parameters
    ----------
    hint
        The scientific name that the place within the file name marks as such, as xeno-canto's names do.

    Examples
    --------
    >>> file_taxon("Parus_major_20240501_051500").taxon.scientific_name, file_taxon("IMG_0001").taxon
    ('Parus major', None)
    """
    text = plain_characters(stem)
    words = _words(text)
    if found := _of_scientific(words):
        return found
    if hint is not None and len(pair := _words(hint)) > 1:
        return WrittenName(_of_form(pair[0], pair[1]), NameSource.FORM, hint)
    segments = [segment for segment in map(_words, _SEGMENT.split(text)) if segment]
    if len(segments) == 1:
        segments = [segment for segment in map(_words, text.split("_") if " " in text else [text]) if segment]
    said = [found for segment in segments if (found := _alone(segment))]
    if named := _one_of(said):
        return named
    begins = len(words) > 1 and words[0][0].isupper()
    return (_by_form(words[:2]) if begins else None) or _NOTHING


@dataclass(frozen=True)
class _Index:
    """Known taxa by the words of their names: of scientific names, of groups, and of common names."""

    scientific: Mapping[str, Taxon]
    common: Mapping[str, Taxon]


@cache
def _index() -> _Index:
    known = known_taxa()
    scientific = {
        _key(_words(name)): known.taxonomy[taxon_id] for name, taxon_id in known.taxonomy.synonyms.items()
    }
    scientific |= {_key(_words(taxon.scientific_name)): taxon for taxon in known.taxonomy.taxa}
    common: dict[str, set[Taxon]] = defaultdict(set)
    for taxon in known.taxonomy.taxa:
        if taxon.common_name:
            for key in _common_keys(taxon.common_name):
                common[key].add(taxon)
    return _Index(scientific, {key: taxa.pop() for key, taxa in common.items() if len(taxa) == 1})


def _common_keys(name: str) -> Iterator[str]:
    """Yield the ways in which a common name is written: with and without apostrophes, with grey and gray."""
    plain = plain_characters(name)
    for text in (plain, plain.replace("'", ""), _POSSESSIVE.sub("", plain)):
        key = _key(_words(text))
        yield key
        yield from (key.replace(one, other) for one, other in (("grey", "gray"), ("gray", "grey")) if one in key)


def _words(text: str) -> list[str]:
    """Return the words of a name; what has a digit in it is none."""
    found = _WORD.findall(text)
    whole = [word for word in found if not any(map(str.isdigit, word))]
    return [part for word in whole for part in ([word] if "'" in word else _CAMEL.split(word))]


def _key(words: Iterable[str]) -> str:
    return fold(" ".join(words).replace("\u2019", "'"))


def _of_lineage(text: str) -> WrittenName | None:
    if not _LINEAGE.fullmatch(text):
        return None
    above, epithet = dict(zip(RANKS, text.split("_")[1:], strict=False)), text.rpartition("_")[2]
    name = f"{above[Rank.GENUS]} {epithet}"
    known = _index().scientific.get(_key(_words(name)))
    common = known.common_name if known else None
    taxon = Taxon(taxon_id_of(name), name, common, Rank.SPECIES, *(above[rank] for rank in RANKS[:-1]))
    return WrittenName(taxon, NameSource.LINEAGE, text)


def _doubtful(text: str) -> WrittenName | None:
    """Return what is to be said of a name of several taxa, or of one that is not certain; None of any other."""
    parsed = parse_name(text)
    if parsed.kind in {NameKind.SEVERAL, NameKind.PAIR, NameKind.HYBRID} and len(parsed.parts) > 1:
        return WrittenName(text=text, several=parsed.parts)
    if parsed.kind == NameKind.QUALIFIED and parsed.genus and _genus(parsed.genus):
        return WrittenName(text=text, why=f"is not certain ({parsed.qualifier})")
    if parsed.kind == NameKind.UNDETERMINED and parsed.canonical:
        group = _group(parsed.canonical)
        return None if group is None else WrittenName(group, NameSource.SCIENTIFIC, text)
    return None


def _of_scientific(words: Sequence[str]) -> WrittenName | None:
    """Return the taxon whose scientific name of two or three words stands among these, or that there are several."""
    keys = [_key([word]) for word in words]
    found: list[WrittenName] = []
    at = 0
    while at < len(keys):
        for width in range(min(_LONGEST, len(keys) - at), 1, -1):
            taxon = _index().scientific.get(" ".join(keys[at : at + width]))
            if taxon is not None:
                found.append(WrittenName(taxon, NameSource.SCIENTIFIC, " ".join(words[at : at + width])))
                at += width - 1
                break
        else:
            if at + 1 < len(keys) and _is_form(words[at], words[at + 1], genus_known=True):
                taxon = _of_form(words[at], words[at + 1])
                found.append(WrittenName(taxon, NameSource.FORM, f"{words[at]} {words[at + 1]}"))
                at += 1
        at += 1
    return _one_of(found)


def _of_several_common(text: str) -> WrittenName | None:
    said = [_alone(_words(part)) for part in _BETWEEN.split(text.replace("_", " "))]
    return _one_of([found for found in said if found]) if len(said) > 1 and all(said) else None


def _one_of(found: Sequence[WrittenName]) -> WrittenName | None:
    """Return the first of several readings where all are of one taxon, or that they are not; None of none."""
    names = {each.taxon.scientific_name: each for each in found if each.taxon is not None}
    if len(names) > 1:
        return WrittenName(text=", ".join(each.text for each in names.values()), several=tuple(names))
    return found[0] if found else None


def _alone(words: Sequence[str]) -> WrittenName | None:
    """Return the group or the common name that words are, remarks such as ``song`` apart."""
    for said in (words, [word for word in words if word.lower() not in REMARKS]):
        text, key = " ".join(said), _key(said)
        if (group := _group(text)) is not None:
            return WrittenName(group, NameSource.SCIENTIFIC, text)
        if (taxon := _index().common.get(key)) is not None:
            return WrittenName(taxon, NameSource.COMMON, text)
    return None


def _group(name: str) -> Taxon | None:
    """Return the genus, family, order or class that a word names."""
    if not name or " " in name:
        return None
    found = _index().scientific.get(_key([name])) or known_taxa().find(name)
    return found if found is not None and fold(found.scientific_name) == fold(name) else None


def _genus(name: str) -> Taxon | None:
    group = _group(name)
    return group if group is not None and group.rank == Rank.GENUS else None


def _by_form(words: Sequence[str]) -> WrittenName | None:
    """Return what two words name that have the form of a scientific name."""
    if not _is_form(*words, genus_known=False):
        return None
    return WrittenName(_of_form(*words), NameSource.FORM, " ".join(words))


def _is_form(genus: str, epithet: str, *, genus_known: bool) -> bool:
    """Return whether two words have the form of a scientific name."""
    if not (genus.isascii() and epithet.isascii() and genus.isalpha() and epithet.isalpha()):
        return False
    if {genus.lower(), epithet.lower()} & (_NO_NAMES | REMARKS):
        return False
    is_written_so = genus[0].isupper() and epithet.islower()
    if _genus(genus) is not None:
        return len(epithet) >= _SHORTEST and (is_written_so or looks_latin(genus, epithet))
    if genus_known or not epithet.islower():
        return False
    return min(len(genus), len(epithet)) >= _SHORTEST and looks_latin(genus, epithet)


def _of_form(genus: str, epithet: str) -> Taxon:
    """Return the species of two words, in the groups above its genus where the package knows that."""
    genus, name = genus.capitalize(), f"{genus.capitalize()} {epithet.lower()}"
    above = _genus(genus)
    taxon = Taxon(taxon_id_of(name), name, genus=genus)
    if above is None:
        return taxon
    return replace(
        taxon, **{field: getattr(above, field) for field in ("kingdom", "phylum", "class_", "order", "family")}
    )
