"""Scientific names taken apart: `gbif-name-parser`, and what it does not see by itself.

The parser reads ``Larus argentatus/michahellis`` as plain ``Larus argentatus``, so slashes are looked for first.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from enum import StrEnum

from biovita.taxonomy.characters import plain_characters, without_unseen
from biovita.taxonomy.remarks import split_remark
from biovita.taxonomy.several import species_named

__all__ = ["EBIRD_TAIL", "HYBRID_SIGN", "SLASH", "NameKind", "ParsedName", "fold", "parse_name"]


class NameKind(StrEnum):
    """What a string in a name column turned out to be."""

    SCIENTIFIC = "scientific"
    SEVERAL = "several"  # one and another: Parus major, Parus ater
    PAIR = "pair"  # one or the other: Larus argentatus/michahellis
    HYBRID = "hybrid"  # a formula: Anas platyrhynchos x rubripes; a named hybrid is scientific
    UNDETERMINED = "undetermined"  # not down to species: Larus sp., Amphibia indet.
    QUALIFIED = "qualified"  # a species, not for certain: cf., aff., ?, agg., sensu lato
    PLACEHOLDER = "placeholder"  # unknown, incertae sedis, nothing at all
    OTHER = "other"  # no scientific name: a virus, a code, free text


@dataclass(frozen=True, slots=True)
class ParsedName:
    """A name in parts. What is not known, or is not in the name, is None.

    Attributes
    ----------
    verbatim
        As given.
    canonical
        Without authorship, rank markers and qualifiers; of an undetermined name the group that it does name; None
        of placeholders, formulas and pairs of different species.
    genus, epithet, infraspecific
        The words of a binomial or trinomial; a name of one word has none of them.
    qualifier
        What makes it uncertain: ``cf.``, ``aff.``, ``?``, ``agg.``, ...
    parts
        The names of a pair, of a hybrid's parents or of several species, written out.
    named_hybrid
        Whether the name holds a hybrid sign and is no formula: ``Prunus × yedoensis``.
    remark
        What follows the name and is neither rank, author, year nor a note on its use: ``song``, ``3 ind.``
    """

    verbatim: str
    kind: NameKind
    canonical: str | None = None
    genus: str | None = None
    epithet: str | None = None
    infraspecific: str | None = None
    authorship: str | None = None
    qualifier: str | None = None
    parts: tuple[str, ...] = ()
    named_hybrid: bool = False
    remark: str | None = None


_LONGEST = 500  # characters; hybrid formulas with all authors stay under 250
_EMPTY = {"", "-", "?", "na", "n/a", "nan", "none", "null"}
_MARKS = re.compile(r"^[*†\"'“”‘’\s]+|[*†\"'“”‘’\s]+$")
_LABEL = re.compile(r"([A-Z][a-z-]+ [a-z-]+)_[^\Wa-z_].*")  # of BirdNET: with the common name behind
EBIRD_TAIL = re.compile(r"\s*(\[[^\]]*group\]|\((hybrid|intergrade|[\w\s-]*\btype)\))\s*$", re.IGNORECASE)
_KLEPTON = re.compile(r"\s+(kl|klepton)\.?\s+", re.IGNORECASE)
_CONFER = re.compile(r"\bc\.\s?f\.\s", re.IGNORECASE)
_YEAR = re.compile(r"\W*\d{4}\w?\W*")
_NO_EPITHET = re.compile(r"^(sp|spp|ssp|gen|nov|indet|undet|unknown)?\d*$|\d")
_SPUH = re.compile(r"\bspp?\.?$")
SLASH = re.compile(r"\s*/\s*")
_LOWER_WORDS = re.compile(r"^[a-z][a-z-]+$")
_ABBREVIATED = re.compile(r"^([A-Z])[a-z]{0,2}\. ?([a-z-]+)$")
HYBRID_SIGN = re.compile(r"\s+[x×✕]\s+", re.IGNORECASE)
_WIDE_SENSE = re.compile(r"^(s\.? ?l(at)?\.?|sensu lato|auct|nec |non )", re.IGNORECASE)


def fold(name: str) -> str:
    """Return the form by which names are looked up: lower case, ASCII letters, single spaces, ``×`` joined on.

    Examples
    --------
    >>> fold("Sæmundssonia  LARI"), fold("Prunus × yedoensis")
    ('saemundssonia lari', 'prunus ×yedoensis')
    """
    if not name.isascii():
        name = without_unseen(name)
        name = unicodedata.normalize("NFKD", name.replace("æ", "ae").replace("Æ", "Ae").replace("œ", "oe"))
        name = "".join(char for char in name if not unicodedata.combining(char)).replace("× ", "×")
    return " ".join(name.lower().replace("_", " ").split())


def parse_name(name: str) -> ParsedName:
    """Return the parts of a name.

    Examples
    --------
    >>> parse_name("Parus major minor Temminck & Schlegel, 1848").canonical
    'Parus major minor'
    >>> parse_name("Larus argentatus/michahellis").parts
    ('Larus argentatus', 'Larus michahellis')
    """
    if len(name) > _LONGEST:
        return ParsedName(name, NameKind.OTHER)
    lines = name.splitlines()
    text = plain_characters(name if len(lines) < 2 else " ; ".join(filter(None, map(str.strip, lines))))
    if "_" in text:
        label = _LABEL.fullmatch(text)
        text = label[1] if label else " ".join(text.replace("_", " ").split())
    text = _MARKS.sub("", text)
    if text.lower() in _EMPTY:
        return ParsedName(name, NameKind.PLACEHOLDER)
    text = _CONFER.sub("cf. ", _KLEPTON.sub(" ", text))
    while (shorter := EBIRD_TAIL.sub("", text)) != text:
        text = shorter
    if several := species_named(text):
        return ParsedName(name, NameKind.SEVERAL, parts=several)
    if len(lines) > 1:
        text = text.replace(" ; ", " ")
    pair = _pair(name, text)
    if pair is not None:
        return pair
    parsed = _single(name, text)
    if parsed.kind not in {NameKind.SCIENTIFIC, NameKind.QUALIFIED}:
        return parsed
    alone, remark = split_remark(text)
    return parsed if remark is None else replace(_single(name, alone), remark=remark)


def _pair(verbatim: str, text: str) -> ParsedName | None:
    """Return the name as a pair where a slash joins names; a slash in an authorship or a year joins none."""
    pieces = SLASH.split(text)
    if len(pieces) < 2 or not all(pieces) or "(" in pieces[0]:
        return None
    if _SPUH.search(pieces[-1]):
        return ParsedName(verbatim, NameKind.UNDETERMINED, qualifier="sp.")
    first = pieces[0].split()
    uninomial = len(first) == 1
    names = [pieces[0]]
    for piece in pieces[1:]:
        abbreviated = _ABBREVIATED.match(piece)
        if _LOWER_WORDS.match(piece) and not uninomial:
            names.append(" ".join([*_words(first)[:-1], piece]))
        elif abbreviated and abbreviated[1] == first[0][:1].upper():
            names.append(f"{first[0]} {abbreviated[2]}")
        elif piece[0].isupper() and (uninomial or " " in piece):
            names.append(piece)
        else:
            return None
    parsed = [_single(part, part) for part in names]
    canonical = [part.canonical or part.verbatim for part in parsed]
    species = {(part.genus, part.epithet) for part in parsed}
    if len(species) == 1 and parsed[0].epithet:  # subspecies of one species: the species is certain
        genus, epithet = parsed[0].genus, parsed[0].epithet
        return ParsedName(
            verbatim, NameKind.SCIENTIFIC, f"{genus} {epithet}", genus, epithet, parts=tuple(canonical)
        )
    return ParsedName(verbatim, NameKind.PAIR, parts=tuple(canonical))


def _words(first: list[str]) -> list[str]:
    """Return the words of a name up to its authorship."""
    return [first[0], *(word for word in first[1:] if _LOWER_WORDS.match(word))]


def _single(verbatim: str, text: str) -> ParsedName:
    from nameparser import Informal, UnparsableNameError, parse

    try:
        found = parse(text)
    except UnparsableNameError as error:
        if error.name_type == "FORMULA":
            return ParsedName(verbatim, NameKind.HYBRID, parts=_parents(text))
        kind = NameKind.PLACEHOLDER if error.name_type == "PLACEHOLDER" else NameKind.OTHER
        return ParsedName(verbatim, kind)
    if isinstance(found, Informal):
        return ParsedName(verbatim, NameKind.UNDETERMINED, found.taxon, qualifier=found.phrase or "indet.")
    genus, epithet, infraspecific = found.genus, found.specific_epithet, found.infraspecific_epithet
    if found.uninomial is None and epithet is None:
        return ParsedName(verbatim, NameKind.OTHER)
    if epithet is not None and _NO_EPITHET.search(epithet):
        return ParsedName(verbatim, NameKind.UNDETERMINED, genus, qualifier=epithet)
    authorship = found.authorship_complete()
    if epithet is None or genus is None:
        return ParsedName(verbatim, NameKind.SCIENTIFIC, found.uninomial, authorship=authorship)
    if infraspecific and _YEAR.fullmatch(
        authorship or ""
    ):  # an author in the case of the whole: MAJOR LINNAEUS, 1758
        authorship, infraspecific = f"{infraspecific.capitalize()}, {authorship}", None
    notho = found.notho or []
    words = [
        "× " + genus if "GENERIC" in notho else genus,
        "× " + epithet if "SPECIFIC" in notho else epithet,
        *([infraspecific] if infraspecific else []),
    ]
    qualifier = _qualifier(found, text)
    return ParsedName(
        verbatim,
        NameKind.QUALIFIED if qualifier else NameKind.SCIENTIFIC,
        " ".join(words),
        genus,
        epithet,
        infraspecific,
        authorship,
        qualifier,
        named_hybrid="GENERIC" in notho or "SPECIFIC" in notho,
    )


def _qualifier(found: object, text: str) -> str | None:
    """Return the words that leave it open which species is meant."""
    note = getattr(found, "taxonomic_note", None) or ""
    if marks := getattr(found, "epithet_qualifier", None):
        return " ".join(marks.values())
    if getattr(found, "rank", "") == "SPECIES_AGGREGATE":
        return "agg."
    if _WIDE_SENSE.match(note):
        return note
    return "?" if "?" in text else None


def _parents(text: str) -> tuple[str, ...]:
    """Return the parents of a hybrid formula, written out where the second repeats the first one's genus."""
    pieces = [piece.strip() for piece in HYBRID_SIGN.split(text)]
    genus = pieces[0].split()[0] if pieces[0] else ""
    return tuple(
        f"{genus} {piece}"
        if _LOWER_WORDS.match(piece)
        else f"{genus} {match[2]}"
        if (match := _ABBREVIATED.match(piece)) and match[1] == genus[:1]
        else piece
        for piece in pieces
    )
