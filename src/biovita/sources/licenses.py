"""Licences as sources write them, in one spelling: that of SPDX where SPDX has one.

``CC-BY-NC-4.0``, ``CC0-1.0`` and ``PDM-1.0``; ``CC-BY-NC`` where the version is not stated; ``ARR`` for all rights
reserved. A statement is understood to its last word, or has no licence: what is not recognised is never taken for a
free one. Of several licences in one statement the most restricted counts, and none where neither holds the other.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations

from biovita.sources.license_words import BEGINNINGS, PHRASES, PORTS, RUN, LicenseWord, folded

__all__ = ["allowed", "licenses_within", "normalise_license"]

_VERSIONS = ("1.0", "2.0", "2.1", "2.5", "3.0", "4.0")
_ORDER = (LicenseWord.BY, LicenseWord.NC, LicenseWord.SA, LicenseWord.ND)
_TERMS = frozenset(_ORDER)
_FREE = frozenset({LicenseWord.ZERO, LicenseWord.MARK, LicenseWord.DOMAIN})
_BARRED = frozenset({LicenseWord.SA, LicenseWord.ND})  # no licence has both
_NAMES = {part.value.lower(): part for part in _ORDER} | {"zero": LicenseWord.ZERO, "mark": LicenseWord.MARK}
_ADDRESS = re.compile(
    r"(?<![\w./:@-])(?:(?:https?:)?//?)?(?:www\.)?creativecommons\.org/(?:licen[sc]es|publicdomain)/"
    r"(?P<code>[a-z]+(?:[-+][a-z]+)*)(?:/(?P<version>\d\.\d))?(?:/(?:[a-z]{2,3}|scotland))?"
    r"(?:/(?:legalcode|deed|rdf)(?:[._-][a-z]{2,4}(?:[-_][a-z]+)?)?)?/?(?:[?#][\w=&.-]*)?(?![\w/-])",
    re.ASCII,
)
_SPDX = re.compile(r"(?<![\w./:@-])(?:https?://)?spdx\.org/licenses/(cc[a-z0-9.-]+?)(?:\.html|\.json)?(?![\w./-])")
_LINK = re.compile(r"""<(?:a|ulink)\b[^<>]*?\b(?:href|url)=["']([^"'<>]*)["'][^<>]*>""", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)
_LIMITS_IN_TAGS = {
    "NC": re.compile(r"(?<![a-z])nc(?![a-z])|commerc", re.IGNORECASE),
    "ND": re.compile(r"(?<![a-z])nd(?![a-z])|deriv", re.IGNORECASE),
    "SA": re.compile(r"(?<![a-z])sa(?![a-z])|alike", re.IGNORECASE),
}
_COPYRIGHT = re.compile(r"©|\(c\)")
# As iNaturalist credits; what stands before the comma is anybody's name.
_CREDIT = re.compile(
    r"(?:©|\(c\)) ?(?P<name>[^,;()<>]{1,100}), (?P<rest>(?:some|no) rights reserved\b.*)", re.DOTALL
)
_WORD = re.compile(r"(?P<letters>[^\W\d_]+)|(?P<digits>\d+)|(?P<between>[\W_]+)")
_BETWEEN = re.compile(r"[\s\-‐‑‒–—―−﹘﹣_/,.;:|()\[\]{}\"'’‘“”«»„`´+&·・•、，。；：（）「」『』《》®!]*")
_POINT = re.compile(r"[.,_\-‐‑‒–—−· ]")
_LONG = 500  # characters; longer texts are not kept for the next time
_LONGEST = 2000  # characters; what is longer speaks of a licence, and states none


def normalise_license(given: str | None) -> str | None:
    """Return a licence in the common spelling; None where it is not given or not recognised.

    Names of Creative Commons are read in some forty languages, and its addresses with what may follow them. Codes may
    be spelled in any way; beside them may stand no word that is not known to change nothing.

    Examples
    --------
    >>> normalise_license("//creativecommons.org/licenses/by-nc-sa/4.0/"), normalise_license("CC-BY-NonCommercial")
    ('CC-BY-NC-SA-4.0', 'CC-BY-NC')
    >>> normalise_license("CC_BY_4_0"), normalise_license("cc0"), normalise_license("CC BY 4.0 (except images)")
    ('CC-BY-4.0', 'CC0-1.0', None)
    """
    return _kept(given) if given is None or len(given) <= _LONG else _normalised(given)


@lru_cache(maxsize=4096)
def _kept(given: str | None) -> str | None:
    return _normalised(given)


@dataclass
class _Statement:
    """One licence of a text, as far as it is read."""

    terms: set[LicenseWord] = field(default_factory=set)
    versions: set[str] = field(default_factory=set)

    @property
    def names_license(self) -> bool:
        """Whether it names a licence, and not only terms of one."""
        return not self.terms.isdisjoint(_FREE | {LicenseWord.BY})

    @property
    def limits(self) -> frozenset[LicenseWord]:
        """What it asks of who uses a work."""
        return _TERMS & self.terms


_Read = LicenseWord | str | _Statement  # what a word stands for, a version, what an address means


def _normalised(given: str | None) -> str | None:
    text = (given or "").strip()
    if not text or len(text) > _LONGEST:
        return None
    if text in {"C", "c"}:  # iNaturalist's code for all rights reserved
        return "ARR"
    limits = _limits_in_tags(text)
    text = folded(_without_tags(text).replace("™", " "))
    credit = _CREDIT.match(text)
    if credit and _is_name(credit["name"]):
        text = credit["rest"]
    parts, is_understood = _parts(text)
    if LicenseWord.RESERVED in parts:
        return "ARR"
    found = _most_restricted(parts) if is_understood else None
    if found is not None and not limits <= set(found.split("-")):
        found = None
    is_claimed = parts[:1] == [LicenseWord.COPYRIGHT] and not any(
        isinstance(part, _Statement) or part in _FREE | {LicenseWord.CC, LicenseWord.SOME} for part in parts
    )
    return "ARR" if found is None and is_claimed else found


def _without_tags(text: str) -> str:
    """Return a text of HTML or DocBook with the addresses of its links, and without its tags."""
    if "<" in text:
        text = _TAG.sub(" ", _LINK.sub(r" \1 ", text))
    return html.unescape(text) if "&" in text else text


def _limits_in_tags(text: str) -> set[str]:
    """Return what the attributes of a text's tags ask of who uses a work."""
    tags = " ".join(_TAG.findall(text)) if "<" in text else ""
    return {name for name, words in _LIMITS_IN_TAGS.items() if words.search(tags)}


def _is_name(text: str) -> bool:
    """Return whether no words of a text could limit a licence; Sá and Nd. are names."""
    words = " ".join(word for word in re.findall(r"\w+", text) if len(word) > 2)
    return set(_parts(words)[0]) <= {LicenseWord.NOTHING}


def _parts(text: str) -> tuple[list[_Read], bool]:
    """Return what the words and addresses of a text stand for, and whether it holds nothing else."""
    found: list[_Read | None] = []
    text, at = _SPDX.sub(r" \1 ", text), 0
    for address in _ADDRESS.finditer(text):
        found += [*_words(text[at : address.start()]), _of_address(address)]
        at = address.end()
    found += _words(text[at:])
    return [part for part in found if part is not None], None not in found


def _of_address(address: re.Match[str]) -> _Statement | None:
    """Return what an address of Creative Commons says; None where it has no such licence."""
    codes, version = re.split("[-+]", address["code"]), address["version"]
    terms = {_NAMES[code] for code in codes if code in _NAMES}
    found = _Statement(terms, {version} if version else set())
    is_known = len(terms) == len(set(codes)) and version in {None, *_VERSIONS}
    return found if found.names_license and is_known else None


def _words(text: str) -> Iterator[LicenseWord | str | None]:
    """Yield what words stand for, and versions; None for what is not understood."""
    words: list[tuple[str, str]] = []  # what stands before a word, and the word
    before = ""
    for word in _WORD.finditer(_COPYRIGHT.sub(" copyright ", text)):
        if word["between"] is None:
            words.append((before, word[0]))
            before = ""
        else:
            before = word[0]
            if not _BETWEEN.fullmatch(before):
                yield None
    at, follows_version = 0, False
    while at < len(words):
        if words[at][1].isdigit():
            part, length = _number(words, at)
            yield part
            follows_version = isinstance(part, str)
        else:
            parts, length = _phrase(words, at, follows_version)
            yield from parts
            follows_version = follows_version and parts == [LicenseWord.NOTHING]
        at += length


def _number(words: list[tuple[str, str]], at: int) -> tuple[LicenseWord | str | None, int]:
    """Return the version that begins at a number, or the 0 of CC0, and how many words it takes."""
    digits = words[at][1]
    if digits == "0" and at and words[at - 1][1] == "cc" and words[at][0] in {"", "-", "_", " "}:
        return LicenseWord.ZERO, 1
    version, length = f"{digits}.0", 1
    if at + 1 < len(words) and words[at + 1][1].isdigit() and _POINT.fullmatch(words[at + 1][0]):
        version, length = f"{digits}.{words[at + 1][1]}", 2
    return (version if version in _VERSIONS else None), length


def _phrase(words: list[tuple[str, str]], at: int, follows_version: bool) -> tuple[list[LicenseWord | None], int]:
    """Return what the longest phrase that begins at a word stands for, and how many words it takes."""
    joined, found, length = "", None, 0
    for number, (_, word) in enumerate(words[at:], start=1):
        joined += word
        if joined not in BEGINNINGS:
            break
        if (part := PHRASES.get(joined)) is not None:
            found, length = part, number
        elif follows_version and joined in PORTS:
            found, length = LicenseWord.NOTHING, number
    if found is not None:
        return [found], length
    run = RUN.findall(words[at][1])
    return ([PHRASES[each] for each in run] if "".join(run) == words[at][1] else [None]), 1


def _most_restricted(parts: list[_Read]) -> str | None:
    """Return the licence that limits as much as all others; None where there is none, or where parts contradict."""
    licenses, loose = _statements(parts)
    for each in licenses:
        each.terms |= loose.terms
        if len(each.versions) > 1 or (each.limits and each.terms & _FREE) or each.limits >= _BARRED:
            return None
    limits = max((each.limits for each in licenses), key=len, default=frozenset())
    if not licenses or not all(each.limits <= limits for each in licenses):
        return None
    versions = {version for each in licenses if each.limits == limits for version in each.versions}
    if loose.versions and len(versions | loose.versions) > 1:
        return None
    versions |= loose.versions
    if not limits:
        return _free({part for each in licenses for part in each.terms}, versions)
    names_creator = any(part is LicenseWord.CC or isinstance(part, _Statement) for part in parts)
    if limits == {LicenseWord.BY} and not versions and not names_creator:
        return None  # "Attribution" may be anybody's condition
    return _written(limits, next(iter(versions)) if len(versions) == 1 else None)


def _statements(parts: list[_Read]) -> tuple[list[_Statement], _Statement]:
    """Return the licences that parts name one after the other, and what belongs to none of them."""
    found: list[_Statement] = []
    current = _Statement()
    for part in parts:
        if isinstance(part, _Statement):
            found.append(_Statement(set(part.terms), set(part.versions)))
        elif isinstance(part, str):
            current.versions.add(part)
        elif part in _TERMS | _FREE | {LicenseWord.CC}:
            is_free = part in _FREE and current.terms <= _FREE
            if current.names_license and part in _FREE | {LicenseWord.BY, LicenseWord.CC} and not is_free:
                found.append(current)
                current = _Statement()
            current.terms |= {part} - {LicenseWord.CC}
    return ([*found, current], _Statement()) if current.names_license else (found, current)


def _free(terms: set[LicenseWord], versions: set[str]) -> str | None:
    if not versions <= {"1.0"} or {LicenseWord.ZERO, LicenseWord.MARK} <= terms:
        return None
    return "CC0-1.0" if LicenseWord.ZERO in terms else "PDM-1.0"


def _written(limits: frozenset[LicenseWord], version: str | None) -> str:
    return "-".join(["CC", *(part.value for part in _ORDER if part in limits), *([version] if version else [])])


def allowed(license_: str | None, accepted: tuple[str, ...]) -> bool:
    """Return whether a licence is among the accepted: the very same, or any version of one given without.

    Examples
    --------
    >>> allowed("CC-BY-3.0", ("CC-BY",)), allowed("CC-BY-NC-3.0", ("CC-BY",)), allowed("CC-BY", ("CC-BY-4.0",))
    (True, False, False)
    """
    if license_ is None:
        return False
    family = re.sub(r"-\d\.\d$", "", license_)
    return license_ in accepted or family in accepted


def licenses_within(accepted: tuple[str, ...]) -> tuple[str, ...]:
    """Return all licences in the common spelling that are `allowed`, for a query over many rows.

    Examples
    --------
    >>> licenses_within(("CC-BY-SA", "PDM-1.0"))[-3:]
    ('CC-BY-SA-3.0', 'CC-BY-SA-4.0', 'PDM-1.0')
    """
    others = (LicenseWord.NC, LicenseWord.SA, LicenseWord.ND)
    limits = [frozenset({LicenseWord.BY, *more}) for count in range(3) for more in combinations(others, count)]
    written = [_written(each, version) for each in limits if not each >= _BARRED for version in (None, *_VERSIONS)]
    return tuple(each for each in (*written, "CC0-1.0", "PDM-1.0", "ARR") if allowed(each, accepted))
