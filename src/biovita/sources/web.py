"""Manners on the web that answers and downloads share: who we are, how long to wait, and no key in a log."""

from __future__ import annotations

import email.utils
import logging
import random
import time
from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy

from biovita.redact import redacted
from biovita.version import __version__

__all__ = ["MAX_WAIT_S", "backoff", "hide_keys", "no_cookies", "number_in", "retry_after", "user_agent"]

MAX_WAIT_S = 120.0
_MONTH_S = 30 * 24 * 3600.0
_DIGITS = 18  # of a number in a header; more is no size and no time


def user_agent(contact: str | None = None) -> str:
    """Return what we call ourselves; servers ask for a way to reach whoever runs a collection."""
    name = f"biovita/{__version__}" + (f" (contact: {contact})" if contact else "")
    return "".join(
        each if each.isascii() and each.isprintable() else "?" for each in name
    )  # as a header has to be


class _HideKeys(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self.hidings: list[Callable[[str], str]] = []

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        for hidden in self.hidings:
            text = hidden(text)
        record.msg, record.args = redacted(text), None
        return True


_HIDE = _HideKeys()


def hide_keys(hidden: Callable[[str], str] | None = None) -> None:
    """Keep keys out of what the HTTP libraries log: they write whole addresses, and what servers answer.

    ``hidden`` takes out of a text what is known to be secret.
    """
    if hidden is not None:
        _HIDE.hidings.append(hidden)
    for name in ("httpx", "httpcore", "httpcore.http11", "httpcore.connection", "httpcore.proxy"):
        logging.getLogger(name).addFilter(_HIDE)


def number_in(text: str) -> int | None:
    """Return a number that a header states in ASCII digits; None for anything else, and for too many digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, as a number or a date, 30 days at most.

    None where it is not there, or is neither.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        seconds = number_in(value)
        return _MONTH_S if seconds is None else min(float(seconds), _MONTH_S)
    if not value:
        return None
    try:
        left = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
    except (
        ValueError,
        TypeError,
        OverflowError,
        IndexError,
        OSError,
    ):  # all of these come, by what is odd in a date
        return None
    return min(max(0.0, left), _MONTH_S)


def no_cookies() -> CookieJar:
    """Return a jar for an HTTP client that takes no cookies: they would grow with every answer, and be sent back."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


def backoff(attempt: int, random_: random.Random, base_s: float = 1.0) -> float:
    """Return the seconds to wait after failure number ``attempt`` (from 0): exponential, with full jitter."""
    return random_.uniform(0, min(MAX_WAIT_S, base_s * 2.0**attempt))
