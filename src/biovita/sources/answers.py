"""Answers of web APIs: JSON pages on disk, or asked for once and then kept on disk."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from biovita.errors import DatasetError
from biovita.files import write_whole
from biovita.sources.web import MAX_WAIT_S, backoff, hide_keys, redacted, retry_after, user_agent

__all__ = ["Answer", "ask", "saved_answers"]

TRIES = 6
PAUSE_S = 1.0  # iNaturalist and xeno-canto both ask for at most a request a second
Answer = dict[str, Any]


def saved_answers(path: Path) -> Iterator[tuple[str, Answer]]:
    """Yield (name, content) of a JSON file, or of all in a directory, in the order of their names.

    Raises
    ------
    DatasetError
        Where there is none, or one is not a JSON object.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise DatasetError(f"{path}: there is no such file, or no .json in the directory")
    for file in files:
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise DatasetError(f"{file}, line {error.lineno}: is not JSON: {error.msg}") from None
        except UnicodeDecodeError as error:
            raise DatasetError(f"{file}: is not UTF-8: {error.reason}") from None
        if not isinstance(content, dict):
            raise DatasetError(f"{file}: expected a JSON object, found {type(content).__name__}")
        yield file.name, content


def ask(
    address: str,
    parameters: Mapping[str, str],
    following: Callable[[Answer], Mapping[str, str] | None],
    cache: Path,
    *,
    secret: Mapping[str, str] | None = None,
    contact: str | None = None,
) -> Path:
    """Return the directory in ``cache`` with all pages of an answer; what is there already is not asked for again.

    Parameters
    ----------
    following
        From a page to the parameters of the next one; None after the last.
    secret
        Parameters that are sent and never written: the API's key.

    Raises
    ------
    DatasetError
        Where the server refuses or does not answer; the message holds the server's words and never a secret.
    """
    import httpx

    hide_keys()
    digest = hashlib.sha256(json.dumps([address, sorted(parameters.items())]).encode()).hexdigest()[:16]
    directory = cache / digest
    directory.mkdir(parents=True, exist_ok=True)
    more: Mapping[str, str] | None = {}
    number = 1
    with httpx.Client(headers={"user-agent": user_agent(contact)}, timeout=60, follow_redirects=False) as client:
        while more is not None:
            file = directory / f"page-{number:05}.json"
            if file.is_file():
                _, page = next(saved_answers(file))
            else:
                page = _page(client, address, {**parameters, **more}, secret or {})
                write_whole(file, json.dumps(page, ensure_ascii=False))
                time.sleep(PAUSE_S)
            more = following(page)
            number += 1
    return directory


def _page(client: Any, address: str, parameters: Mapping[str, str], secret: Mapping[str, str]) -> Answer:
    import httpx

    said = ""
    for attempt in range(TRIES):
        wait = backoff(attempt, random.Random(), PAUSE_S)  # noqa: S311 - jitter
        try:
            response = client.get(address, params={**parameters, **secret})
        except httpx.TransportError as error:
            said = _without(f"{type(error).__name__}: {error}", secret)
        else:
            said = _without(_words(response), secret)
            if response.status_code == httpx.codes.OK:
                return _content(response, address, said)
            if response.status_code not in {429, 500, 502, 503, 504}:
                raise DatasetError(f"{address}: the server refuses ({response.status_code}): {said}")
            wait = min(retry_after(response.headers) or wait, MAX_WAIT_S)
        if attempt < TRIES - 1:
            time.sleep(wait)
    raise DatasetError(f"{address}: no answer after {TRIES} tries: {said}")


def _content(response: Any, address: str, said: str) -> Answer:
    try:
        content = response.json()
    except ValueError:
        raise DatasetError(f"{address}: the answer is not JSON: {said}") from None
    if not isinstance(content, dict):
        raise DatasetError(f"{address}: the answer is not a JSON object: {said}")
    return content


def _words(response: Any) -> str:
    try:
        content = response.json()
        return f"{content['error']}: {content['message']}"
    except (ValueError, KeyError, TypeError):
        return str(response.text[:200])


def _without(text: str, secret: Mapping[str, str]) -> str:
    for value in secret.values():
        text = text.replace(value, "***")
    return redacted(text)
