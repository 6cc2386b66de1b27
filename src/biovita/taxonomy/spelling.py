"""When two spellings are of one name: gender endings, common variants, and typing errors."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["allowed_errors", "gender_key", "nearest", "variant_key"]

_ADJECTIVE = re.compile(r"(us|um|is|os|on|a|e)$")
_VARIANTS = (
    (re.compile(r"[^a-z]"), ""),
    (re.compile(r"ae|oe"), "e"),
    (re.compile(r"ph"), "f"),
    (re.compile(r"([rtck])h"), r"\1"),
    (re.compile(r"[yj]"), "i"),
    (re.compile(r"k"), "c"),
    (re.compile(r"w"), "v"),
    (re.compile(r"z"), "s"),
    (re.compile(r"(.)\1+"), r"\1"),
)


def gender_key(epithet: str) -> str:
    """Return what an epithet shares with its forms in other genders, and with ``-i`` for ``-ii``.

    Names for a man (``-i``), a woman (``-ae``) and several people (``-orum``, ``-arum``) stay apart.

    Examples
    --------
    >>> gender_key("nigra") == gender_key("niger") == gender_key("nigrum")
    True
    >>> gender_key("smithi") == gender_key("smithii"), gender_key("smithi") == gender_key("smithae")
    (True, False)
    """
    word = epithet.replace("-", "")
    if len(word) < 4:
        return word
    if word.endswith(("orum", "arum")):
        return word
    if word.endswith("ae"):
        return word[:-2].removesuffix("i") + "+ae"
    if word.endswith("i"):
        return word[:-1].removesuffix("i") + "+i"
    word = _ADJECTIVE.sub("", word)
    return word[:-2] + "r" if word.endswith("er") else word


def variant_key(epithet: str) -> str:
    """Return what is left of an epithet when common differences in spelling are evened out.

    Among them ``ae``/``e``, ``y``/``i``, ``ph``/``f``, ``th``/``t``, ``k``/``c``, doubled letters and hyphens.

    Examples
    --------
    >>> variant_key("sylvatica") == variant_key("silvaticus")
    True
    """
    word, _, ending = gender_key(epithet).partition("+")
    for pattern, plain in _VARIANTS:
        word = pattern.sub(plain, word)
    return f"{word}+{ending}" if ending else word


def allowed_errors(length: int) -> int:
    """Return how many letters of a word this long may be wrong, left out, too many or swapped."""
    return 0 if length < 5 else 1 if length < 9 else 2


def nearest(word: str, among: Sequence[str], most: int) -> list[str]:
    """Return those of ``among`` that the fewest typing errors lead to, ``most`` at most; short words allow fewer.

    The distance is that of optimal string alignment: insertions, deletions, substitutions, swaps of neighbours.
    """
    from rapidfuzz.distance import OSA
    from rapidfuzz.process import extract

    limit = min(most, allowed_errors(len(word)))
    if not limit:
        return []
    found = extract(word, among, scorer=OSA.distance, score_cutoff=limit, limit=None)
    least = min((distance for _, distance, _ in found), default=0)
    return [other for other, distance, _ in found if distance == least]
