"""Cells that name more than one species."""

from __future__ import annotations

import re

from biovita.taxonomy.name_words import EPITHET_ENDS, GROUP_ENDS, NOTES, PARTICLES, REMARKS, looks_latin

__all__ = ["BINOMIAL_HEAD", "species_named"]

BINOMIAL_HEAD = re.compile(
    r"(?:[×xX] ?)?[A-Z][\w-]+\.?(?: \([A-Z][\w-]+\))? (?:[×xX] ?)?[a-z][\w-]+"
    r"|[A-Z-]{3,} [A-Z-]{3,}|[a-z-]{3,} [a-z-]{3,}"
)
"""What a name of a species begins with: genus, subgenus, epithet; or two words all in one case."""
_SEPARATOR = re.compile(r"\s*[;|+&,]\s*|\s+(?:and|und|et|y|e|i|og|och|en|with|plus|vs\.?)\s+")
_ADDING = frozenset({"+", "&", "and", "und", "et", "plus"})
_GROUPS = re.compile(r"[A-Z][a-z]+(?:\s*[;|+&]\s*[A-Z][a-z]+)+|[A-Z][a-z]+ida?e(?:\s*,\s*[A-Z][a-z]+ida?e)+")
_SPECIES = re.compile(r"([A-Z][a-z-]+) ([a-z][a-z-]{2,})(?![\w.])")
_SHORT = re.compile(r"([A-Z])[a-z]{0,2}\. ?([a-z][a-z-]{3,})(?![\w.])")
_EPITHET = re.compile(r"[a-z-]{3,}")
_FORMULA = re.compile(r"\s[x×✕]\s", re.IGNORECASE)
_NO_EPITHETS = PARTICLES | NOTES


def species_named(text: str) -> tuple[str, ...]:
    """Return the species that a text names one after the other; nothing where it names one, or none.

    Authors follow a name after the same commas and ampersands. A further species is one of the same genus, in full or
    abbreviated, or two words of which both have Latin endings.

    Examples
    --------
    >>> species_named("Parus major & P. ater"), species_named("Parus major Temminck & Schlegel, 1848")
    (('Parus major', 'Parus ater'), ())
    """
    separators = list(_SEPARATOR.finditer(text))
    if not separators and text.count(" ") < 3:
        return ()
    if _GROUPS.fullmatch(text):
        groups = tuple(re.findall(r"[A-Z][a-z]+", text))
        return groups if all(map(GROUP_ENDS.search, groups)) else ()
    head = BINOMIAL_HEAD.match(text)
    if head is None:
        return ()
    first = head[0] if head[0][:1].isupper() and not head[0].isupper() else head[0].capitalize()
    genus = first.split()[0]
    further = [
        _further(genus, text[found.end() :], added=found[0].strip() in _ADDING)
        for found in separators
        if found.start() >= head.end()
    ]
    named = [species for species in further if species is not None]
    if not named and "/" not in text and not _FORMULA.search(text, head.end()):
        named = [f"{genus} {found[2]}" for found in _SPECIES.finditer(text, head.end()) if found[1] == genus]
    return (first, *named) if named else ()


def _further(genus: str, text: str, *, added: bool) -> str | None:
    """Return the species that stands at the beginning of a text after a separator, None where none does."""
    piece = _SEPARATOR.split(text, maxsplit=1)[0].strip()
    alone = " " not in piece
    if piece.isupper() or piece.islower():
        piece = piece.lower() if alone else piece.capitalize()
    if (found := _SPECIES.match(piece)) and found[2] not in _NO_EPITHETS:
        return found[0] if found[1] == genus or looks_latin(found[1], found[2]) else None
    if (found := _SHORT.match(piece)) and found[2] not in _NO_EPITHETS:
        return f"{genus} {found[2]}" if found[1] == genus[0] else found[0]
    if added and alone and _EPITHET.fullmatch(piece) and piece not in REMARKS and EPITHET_ENDS.search(piece):
        return f"{genus} {piece}"
    return None
