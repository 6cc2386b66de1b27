"""The characters of names: what is not seen taken out, and what only looks like a Latin letter written as one."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["plain_characters", "without_unseen"]

# Unicode's property Default_Ignorable_Code_Point (DerivedCoreProperties.txt): soft hyphens, zero width spaces and
# joiners, byte order marks, marks of the direction of writing, variation selectors, tags.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_DASHES = re.compile("(?<=\\w)[\u2010-\u2013\u2212](?=\\w)")
_MARKS = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201b\u02bc\u02b9\u2032\u00b4`", "'"),
        "æ": "ae",
        "Æ": "Ae",
        "œ": "oe",
        "Œ": "Oe",
    }
)
_SIMILAR = str.maketrans("АВЕЅІЈКМНОРСТУХаеѕіјорсухΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABESIJKMHOPCTYXaesijopcyxABEZHIKMNOPTYXo")
_WORD = re.compile(r"\w+")
_LATIN = re.compile(r"[A-Za-z]")


def without_unseen(text: str) -> str:
    r"""Return a text without the characters that are not seen, its letters composed, and with single spaces.

    Examples
    --------
    >>> without_unseen("\ufeffParus\u00a0 ma\u00adjor\u200e")
    'Parus major'
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", _UNSEEN.sub("", text))
    return " ".join(text.split())


def plain_characters(text: str) -> str:
    r"""Return a text as `without_unseen` does, in the characters that scientific names are written with.

    Ligatures and letters of full width become plain letters, typographic hyphens and apostrophes those of ASCII, and
    Cyrillic and Greek letters among Latin ones those that they look like.

    Examples
    --------
    >>> [plain_characters(name) for name in ("P\u0430rus ma\uff4aor", "Polygonia c\u2011album", "Cæcilia")]
    ['Parus major', 'Polygonia c-album', 'Caecilia']
    """
    text = without_unseen(text)
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text).translate(_MARKS)
    return _WORD.sub(_in_latin, _DASHES.sub("-", text))


def _in_latin(word: re.Match[str]) -> str:
    return word[0].translate(_SIMILAR) if _LATIN.search(word[0]) else word[0]
