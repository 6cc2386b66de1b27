"""Licences as sources write them, in one spelling: that of SPDX where SPDX has one.

``CC-BY-NC-4.0``, ``CC0-1.0`` and ``PDM-1.0``; ``CC-BY-NC`` where the version is not stated; ``ARR`` for all rights
reserved. What is not recognised has no licence, and is never taken for a free one.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["allowed", "normalise_license"]

_ADDRESS = re.compile(
    r"creativecommons\.org/(licenses|publicdomain)/([a-z-]+)(?:/(\d\.\d))?", re.IGNORECASE | re.ASCII
)
_CODE = re.compile(
    r"^CC[-_ ]+(BY(?:[-_ ](?:NC|ND|SA))*)(?:[-_ ]+(?:INT[-_ ])?V?(\d)[._](\d))?\b", re.IGNORECASE | re.ASCII
)
_ZERO = re.compile(r"^(CC[-_ ]?0|CC[-_ ]ZERO|PUBLIC[-_ ]DOMAIN[-_ ]DEDICATION)([-_ ]V?1[._]0)?$", re.IGNORECASE)
_MARK = re.compile(r"^(PDM|PD|PUBLIC[-_ ]DOMAIN)([-_ ](MARK|1[._]0))*$", re.IGNORECASE)
_RESERVED = re.compile(r"all rights reserved|^(ARR|C)$|^©(?!.*some rights)", re.IGNORECASE)
_ORDER = ("BY", "NC", "SA", "ND")


_LONG = 500  # characters; longer texts are not kept for the next time


def normalise_license(given: str | None) -> str | None:
    """Return a licence in the common spelling; None where it is not given or not recognised.

    Examples
    --------
    >>> normalise_license("//creativecommons.org/licenses/by-nc-sa/4.0/")
    'CC-BY-NC-SA-4.0'
    >>> normalise_license("CC_BY_4_0"), normalise_license("cc-by-nc"), normalise_license("cc0")
    ('CC-BY-4.0', 'CC-BY-NC', 'CC0-1.0')
    """
    return _kept(given) if given is None or len(given) <= _LONG else _normalised(given)


@lru_cache(maxsize=4096)
def _kept(given: str | None) -> str | None:
    return _normalised(given)


def _normalised(given: str | None) -> str | None:
    text = (given or "").strip()
    if address := _ADDRESS.search(text):
        kind, code, version = address[1].lower(), address[2].lower(), address[3]
        if kind == "publicdomain":
            return {"zero": "CC0-1.0", "mark": "PDM-1.0"}.get(code)
        parts = code.split("-")
        return _cc(parts, version) if parts[0] == "by" else None
    if _ZERO.match(text):
        return "CC0-1.0"
    if code_match := _CODE.match(text):
        version = f"{code_match[2]}.{code_match[3]}" if code_match[2] else None
        return _cc(re.split(r"[-_ ]", code_match[1]), version)
    if _MARK.match(text):
        return "PDM-1.0"
    return "ARR" if _RESERVED.search(text) else None


def _cc(parts: list[str], version: str | None) -> str | None:
    found = {part.upper() for part in parts}
    if not found <= set(_ORDER):
        return None
    return "-".join(["CC", *(part for part in _ORDER if part in found), *([version] if version else [])])


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
