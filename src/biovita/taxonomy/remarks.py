"""Words behind a name of a species that are no part of it: what was heard, age and sex, how many, how sure."""

from __future__ import annotations

import re

from biovita.taxonomy.name_words import EPITHET_ENDS, JOINING, NOTES, PARTICLES, RANK_MARKERS, REMARKS
from biovita.taxonomy.several import BINOMIAL_HEAD

__all__ = ["split_remark"]

_TRINOMIAL = re.compile(r"[A-Z][a-z-]+ [a-z-]+(?: ([a-z-]+))?")
_FORMULA = re.compile(r"\s[x×✕]\s", re.IGNORECASE)
_EDGES = " ,;:|<>–—-"
_TOKEN = re.compile(
    r"(?P<group>[(\[][^)\]]*[)\]]?)|(?P<quoted>\"[^\"]*\"?|'[^']*')|(?P<sign>[♂♀⚥#])|(?P<dash>(?<=\s)[-–—](?=\s))"
    r"|(?P<number>\d[\d/.–-]*[a-z]?(?!\w))|(?P<word>\w[\w'.-]*)|(?P<mark>\S)"
)
_YEAR = re.compile(r"(1[5-9]|20)\d\d([/–-]\d{1,4})?\.?[a-z]?")
_FIRST_WORD = re.compile(r"[\w']+")
_CODE = re.compile(r"[A-Za-z]{1,5}\d+")
_UNDETERMINED = NOTES | {"sp", "spp"}
_IN_BRACKETS = PARTICLES | NOTES | RANK_MARKERS


def split_remark(text: str) -> tuple[str, str | None]:
    """Return a name of a species with its authors, and what follows that is neither rank, author, year nor note.

    Examples
    --------
    >>> split_remark("Parus major Linnaeus, 1758 (flight call)"), split_remark("Parus major minor")
    (('Parus major Linnaeus, 1758', 'flight call'), ('Parus major minor', None))
    """
    if (plain := _TRINOMIAL.fullmatch(text)) and plain[1] not in REMARKS:
        return text, None
    head = BINOMIAL_HEAD.match(text)
    if head is None or _FORMULA.search(text, head.end()) or head[0].rsplit(" ", 1)[-1] in _UNDETERMINED:
        return text, None
    start = _remark_at(text, head.end())
    if start is None:
        return text, None
    remark = text[start:].strip(_EDGES)
    if remark[:1] in {"(", "["} and remark[-1:] in {")", "]"} and not set("()[]") & set(remark[1:-1]):
        remark = remark[1:-1]
    return text[:start].rstrip(_EDGES), remark.strip("\"' ") or None


def _remark_at(text: str, place: int) -> int | None:
    """Return where what is no part of the name begins, None where all of it is."""
    tokens = list(_TOKEN.finditer(text, place))
    authored = below = False  # an author or a year was met, an epithet below the species
    joined: int | None = None  # where the comma, the dash or the "and" directly before a token stands
    marked = False
    for at, token in enumerate(tokens):
        following = tokens[at + 1] if at + 1 < len(tokens) else None
        word, kind = token[0], token.lastgroup
        plain = word.strip(".,'-").casefold() or word
        begin = token.start() if joined is None else joined
        if kind in {"mark", "dash"} or plain in JOINING:
            joined = token.start() if word in _EDGES or plain in JOINING else None
            continue
        if marked:
            marked, below = False, True
        elif kind in {"group", "quoted", "sign", "number"} or _CODE.fullmatch(word):
            if _is_aside(kind, word, authored=authored):
                return begin
            authored = True
        elif plain in RANK_MARKERS and following is not None and following[0][:1].islower():
            marked = True
        elif plain in NOTES and not text.isupper():
            return None
        elif plain in REMARKS and _is_remark(word, following, authored=authored):
            return begin
        elif not word.islower():
            authored = True
        elif plain not in PARTICLES and not text.islower():
            if joined is not None or ((authored or below) and not EPITHET_ENDS.search(plain)):
                return begin
            below = True
        joined = None
    return None


def _is_aside(kind: str | None, text: str, *, authored: bool) -> bool:
    """Return whether what is in brackets or quotes, or a sign, a number or a code, is no author, year, page or note."""
    if kind == "number":
        return not authored and _YEAR.fullmatch(text) is None
    if kind == "quoted":
        return text[1:2].islower()
    first = _FIRST_WORD.search(text) if kind == "group" else None
    if first is None:
        return kind != "group"
    word = first[0]
    plain = word.casefold().strip("'")
    if word[0].isdigit():
        return _YEAR.match(word) is None
    return plain in REMARKS or (word.islower() and plain not in _IN_BRACKETS)


def _is_remark(word: str, following: re.Match[str] | None, *, authored: bool) -> bool:
    """Return whether a word that may be an author (Song), a son (L. f.) or a mark of rank is a remark."""
    if word.endswith("."):
        return len(word) > 2 or not authored
    if word in {"f", "m"} and authored:
        return False
    return word.islower() or word.isupper() or following is None or following.lastgroup == "word"
