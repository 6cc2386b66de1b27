"""Text without what looks like a secret: user names and passwords in addresses, keys, tokens and signatures."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["HIDDEN", "is_secret_name", "redacted", "redacted_column"]

HIDDEN = "***"
_ANONYMOUS = "anonymous"  # s3://anonymous@bucket: it says that there is no secret
_LEVELS = 3  # of addresses within the parameters of addresses
_MOST = 512  # characters of a user name with its password
# An address's user: to the last @ before its path, or, where a password holds / ? or #, what follows a colon that
# begins no port.
_USER = re.compile(
    rf"(?P<lead>(?:[A-Za-z][A-Za-z0-9+.-]{{0,30}}:|(?<!/)/)/++)"
    rf"(?:(?P<user>[^/?#\s]{{1,{_MOST}}})@|[^/?#\s@\[\]]{{0,{_MOST}}}:(?![0-9]*+(?:[/?#\s]|$))\S{{0,{_MOST}}}@)"
)
_PARAMETER = re.compile(r"(?<![\w.%~\[\]-])(?P<name>[\w.%~\[\]-]++)=(?P<value>[^&;\s#]++)")
_CLOSING = "'\")]}>:,."  # what a sentence puts after an address
_WORDS = re.compile(r"[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]*")
_SECRET_WORDS = {
    *("apikey", "auth", "authorization", "bearer", "credential", "credentials", "jwt", "passphrase", "passwd"),
    *("password", "pass", "pwd", "secret", "session", "sessionid", "sig", "signature", "token"),
}
_SECRET_KEY = re.compile(
    r"(?:^|access|account|api|app|auth|client|consumer|pair|private|secret|service|shared|sign|signing|subscription"
    r"|user)key(?:id)?$"
)  # and not the taxonKey of GBIF
_SIGNED = {"se", "expires", "policy", "googleaccessid", "keypairid"}  # what else makes a signed address valid
_VALUES = re.compile(
    r"\b(?:eyJ[\w-]{8,}+(?:\.[\w-]*+){0,2}|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{35}|hf_[A-Za-z0-9]{20,}"
    r"|gh[opsru]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|sk-[\w-]{20,}|xox[a-z]-[\w-]{10,})"
)
_SIGNS = (
    r"[@=]|eyJ|AKIA|ASIA|AIza|hf_|gh._|github_pat_|glpat-|sk-|xox|(?i:bearer)"  # without one, no secret is seen
)
_BEARER = re.compile(r"(?i)\b(authorization\s*:\s*(?:bearer|basic)|bearer)\s+[\w.~+/=-]{8,}")


def redacted(text: str) -> str:
    """Return text in which addresses have no user and password, and no parameter that looks like a secret.

    What was redacted already stays as it is.

    Examples
    --------
    >>> redacted("https://x.org/a?query=b&key=c0ffee&page=2")
    'https://x.org/a?query=b&key=***&page=2'
    >>> redacted("s3://me:s3cret@bucket/a and s3://anonymous@bucket/a")
    's3://***@bucket/a and s3://anonymous@bucket/a'
    """
    return _redacted(text, _LEVELS)


def is_secret_name(name: str) -> bool:
    """Say whether a parameter or field of this name looks as if it held a secret.

    Examples
    --------
    >>> [is_secret_name(name) for name in ("api_key", "X-Amz-Signature", "accessToken", "sig", "page", "taxonKey")]
    [True, True, True, True, False, False]
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    joined = "".join(words)
    return (
        words[:2] in (["x", "amz"], ["x", "goog"])
        or joined in _SIGNED
        or _SECRET_KEY.search(joined) is not None
        or any(word in _SECRET_WORDS for word in words)
    )


def redacted_column(column: pa.Array) -> pa.Array:
    """Return a column of text redacted; rows without a sign of an address or a secret cost next to nothing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    suspect = pc.fill_null(pc.match_substring_regex(column, _SIGNS), False)  # noqa: FBT003 - by position only
    if not pc.any(suspect).as_py():
        return column
    marked = zip(column.to_pylist(), suspect.to_pylist(), strict=True)
    return pa.array([redacted(text) if mark else text for text, mark in marked], column.type)


def _redacted(text: str, levels: int) -> str:
    def parameter(match: re.Match[str]) -> str:
        name, value = match["name"], match["value"]
        bare = value.rstrip(_CLOSING)
        if not bare.startswith(HIDDEN) and (is_secret_name(unquote(name)) or _holds_one(bare, levels)):
            return f"{name}={HIDDEN}{value[len(bare) :]}"
        return match[0]

    text = _USER.sub(_without_user, text)
    text = _PARAMETER.sub(parameter, text)
    text = _VALUES.sub(HIDDEN, text)
    return _BEARER.sub(rf"\1 {HIDDEN}", text)


def _without_user(match: re.Match[str]) -> str:
    return match[0] if match["user"] in {_ANONYMOUS, HIDDEN} else f"{match['lead']}{HIDDEN}@"


def _holds_one(value: str, levels: int) -> bool:
    """Say whether a value is an address with a secret in it, written so that it fits into another address."""
    plain = unquote(value)
    return levels > 0 and plain != value and _redacted(plain, levels - 1) != plain
