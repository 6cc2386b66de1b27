"""Manners on the web that answers and downloads share: who we are, how long to wait, and no key in a log."""

from __future__ import annotations

import email.utils
import logging
import random
import re
import time
from collections.abc import Mapping

from biovita import __version__

__all__ = ["MAX_WAIT_S", "backoff", "hide_keys", "redacted", "retry_after", "user_agent"]

MAX_WAIT_S = 120.0
_KEY = re.compile(r"(?i)\b(key|token|api_key|apikey|access_token|signature|password)=[^&\s'\"#]+")


def user_agent(contact: str | None = None) -> str:
    """Return what we call ourselves; servers ask for a way to reach whoever runs a collection."""
    return f"biovita/{__version__}" + (f" (contact: {contact})" if contact else "")


def redacted(text: str) -> str:
    """Return text without the values of keys in addresses.

    Examples
    --------
    >>> redacted("https://x.org/a?query=b&key=c0ffee&page=2")
    'https://x.org/a?query=b&key=***&page=2'
    """
    return _KEY.sub(r"\1=***", text)


class _HideKeys(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redacted(record.getMessage()), None
        return True


def hide_keys() -> None:
    """Keep keys out of what the HTTP libraries log: they write whole addresses."""
    for name in ("httpx", "httpcore", "httpcore.http11", "httpcore.connection", "httpcore.proxy"):
        logger = logging.getLogger(name)
        if not any(isinstance(each, _HideKeys) for each in logger.filters):
            logger.addFilter(_HideKeys())


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, as a number or a date; None where it is not there."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    if not value:
        return None
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())


def backoff(attempt: int, random_: random.Random, base_s: float = 1.0) -> float:
    """Return the seconds to wait after failure number ``attempt`` (from 0): exponential, with full jitter."""
    return random_.uniform(0, min(MAX_WAIT_S, base_s * 2.0**attempt))
