"""The name that a taxon is made of: a name as given, written as all others are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from biovita.taxonomy.characters import without_unseen
from biovita.taxonomy.name_words import looks_latin
from biovita.taxonomy.parse import EBIRD_TAIL, HYBRID_SIGN, SLASH, NameKind, ParsedName, parse_name

__all__ = ["CleanName", "clean_name"]

_PLAIN = re.compile(r"[A-Z][a-z]+ [a-z]+")
_YEAR = re.compile(r"\b(1[5-9]|20)\d\d\b")
_KEPT = 1 << 16


@dataclass(frozen=True, slots=True)
class CleanName:
    """A name as it is shown and made an id of; ``several`` has the species where it names more than one."""

    name: str
    several: tuple[str, ...] = ()


def clean_name(given: str) -> CleanName:
    """Return a name without what makes a second taxon of one.

    Characters that are not seen are taken out. A scientific name is its canonical form, as `match.match_names` looks
    it up: without author, year, rank and remarks, its genus with a capital. A name is taken for a scientific one where
    both its words have Latin endings, or a year stands behind it; any other stays as it was given, as ``Chainsaw
    noise`` does. The words of pairs, hybrids and undetermined or doubtful names are kept, too.

    Examples
    --------
    >>> [clean_name(name).name for name in ("PARUS MAJOR", "Parus major Linnaeus, 1758", "Larus sp.", "Dog barking")]
    ['Parus major', 'Parus major', 'Larus sp.', 'Dog barking']
    """
    return CleanName(given) if _PLAIN.fullmatch(given) else _cleaned(given)


@lru_cache(maxsize=_KEPT)
def _cleaned(given: str) -> CleanName:
    seen = without_unseen(given)
    parsed = parse_name(given)
    if parsed.kind == NameKind.SEVERAL:
        return CleanName(seen, parsed.parts)
    if parsed.kind == NameKind.PAIR:
        return CleanName(SLASH.sub("/", seen))
    if parsed.kind == NameKind.HYBRID:
        return CleanName(HYBRID_SIGN.sub(" × ", seen))
    if (
        parsed.kind == NameKind.SCIENTIFIC
        and parsed.canonical
        and not EBIRD_TAIL.search(seen)
        and _is_sure(parsed)
        and (_PLAIN.fullmatch(parsed.canonical) or parse_name(parsed.canonical).canonical == parsed.canonical)
    ):
        return CleanName(parsed.canonical)
    return CleanName(seen)


def _is_sure(parsed: ParsedName) -> bool:
    """Return whether a name that can be read as a scientific one is no other."""
    if _YEAR.search(parsed.authorship or ""):
        return True
    return parsed.genus is not None and parsed.epithet is not None and looks_latin(parsed.genus, parsed.epithet)
