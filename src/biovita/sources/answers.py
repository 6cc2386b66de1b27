"""Answers of web APIs: JSON pages on disk, or asked for once and then kept on disk."""

from __future__ import annotations

import asyncio
import hashlib
import html
import json
import random
import re
import zlib
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import quote, quote_plus

from biovita.errors import DatasetError
from biovita.files import refuse_links, write_whole
from biovita.limits import limit, over
from biovita.redact import HIDDEN, redacted
from biovita.sources.json_files import Answer, mapped, parse_answer, read_answer
from biovita.sources.web import MAX_WAIT_S, backoff, hide_keys, no_cookies, retry_after, user_agent

if TYPE_CHECKING:
    import httpx

__all__ = ["Answer", "ask", "check_origin", "saved_answers"]

TRIES = 6
PAUSE_S = 1.0  # iNaturalist and xeno-canto both ask for at most a request a second
WAIT_S = 60.0  # for a header, or for the next part of an answer
_SLOWEST = 1000  # bytes a second, over more than the wait
_WORDS = 200  # characters of what a server says that are shown
_GZIP = 16 + zlib.MAX_WBITS
_Found = TypeVar("_Found")


def check_origin(path: Path | None, query: object, cache: Path | None) -> None:
    """Raise a ValueError where a source is neither saved answers, nor a query with a place to keep its answers."""
    if (path is None) == (query is None) or (query is not None and cache is None):
        raise ValueError("give either path, or query and cache")


def saved_answers(path: Path) -> Iterator[tuple[str, Answer]]:
    """Yield (name, content) of a JSON file, or of all in a directory, in the order of their names.

    Raises
    ------
    DatasetError
        Where there is none, or one is not a JSON object or larger than is accepted.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise DatasetError(f"{path} does not exist, or is a folder without a .json file")
    for file in files:
        yield file.name, read_answer(file)


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
        From a page to the parameters of the next one; None after the last. It raises DatasetError where the page does
        not say.
    secret
        Parameters that are sent and never written: the API's key. Where a server repeats one, it is taken out.

    Raises
    ------
    DatasetError
        Where the server refuses or does not answer, or its pages are too large, too many, or do not end; the message
        holds the server's words and never a secret.
    """
    secrets = _Secrets.of(secret or {})
    hide_keys(secrets.hidden)
    digest = hashlib.sha256(json.dumps([address, sorted(parameters.items())]).encode()).hexdigest()[:16]
    directory = cache / digest
    refuse_links(directory)
    directory.mkdir(parents=True, exist_ok=True)
    server = _Server(address, dict(secret or {}), secrets, contact)
    _finished(_all_pages(server, parameters, following, directory))
    return directory


def _finished(work: Coroutine[Any, Any, _Found]) -> _Found:
    """Return what comes of work, also where the caller runs an event loop, as notebooks do."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@dataclass(frozen=True)
class _Secrets:
    """What must not be written, in every way that an address or a page writes it."""

    forms: re.Pattern[str] | None

    @classmethod
    def of(cls, secret: Mapping[str, str]) -> _Secrets:
        """Return the secrets among parameters."""
        forms = {
            form
            for value in secret.values()
            if value
            for form in (value, quote(value), quote(value, safe=""), quote_plus(value), html.escape(value))
        }
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        return cls(re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if forms else None)

    def hidden(self, text: str) -> str:
        """Return text without them."""
        return text if self.forms is None else self.forms.sub(HIDDEN, text)

    def words(self, text: str) -> str:
        """Return what a server says as it is shown: a line without secrets and control characters."""
        return redacted(self.hidden("".join(each if each.isprintable() else " " for each in text)))[:_WORDS]


@dataclass(frozen=True)
class _Server:
    address: str
    secret: dict[str, str]
    secrets: _Secrets
    contact: str | None


class _Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    content: bytes


async def _all_pages(
    server: _Server,
    parameters: Mapping[str, str],
    following: Callable[[Answer], Mapping[str, str] | None],
    directory: Path,
) -> None:
    import httpx

    more: Mapping[str, str] | None = {}
    asked, came = set(), set()
    number = 1
    headers = {"user-agent": user_agent(server.contact), "accept-encoding": "gzip"}
    async with httpx.AsyncClient(
        headers=headers, cookies=no_cookies(), timeout=WAIT_S, follow_redirects=False
    ) as client:
        while more is not None:
            if number > limit("pages"):
                raise DatasetError(f"{server.address}: the answer has more pages: {over('pages')}")
            file = directory / f"page-{number:05}.json"
            is_new = not file.is_file()
            page = await _page(client, server, {**parameters, **more}) if is_new else read_answer(file)
            try:
                more = following(page)
            except DatasetError as error:
                raise DatasetError(
                    str(error) if is_new else f"{file}: {error}. Delete the file to ask again"
                ) from None
            text = json.dumps(page)  # half a character, which no file holds, stays as JSON writes it
            content, next_ = hashlib.sha256(text.encode()).digest(), json.dumps(more, sort_keys=True)
            if next_ in asked or (content in came and more is not None):
                raise DatasetError(
                    f"{server.address}: the server sent the same page twice, so its answer would never end"
                )
            asked.add(next_)
            came.add(content)
            if is_new:
                write_whole(file, text)
                await asyncio.sleep(PAUSE_S)
            number += 1


async def _page(client: httpx.AsyncClient, server: _Server, parameters: Mapping[str, str]) -> Answer:
    import httpx

    said = ""
    for attempt in range(TRIES):
        wait = backoff(attempt, random.Random(), PAUSE_S)  # noqa: S311 - jitter
        try:
            reply = await _reply(client, server, parameters)
        except TimeoutError:
            said = "the server takes too long"
        except (httpx.TransportError, httpx.InvalidURL, UnicodeError) as error:
            said = server.secrets.words(f"{type(error).__name__}: {error}")
        else:
            if reply.status == httpx.codes.OK:
                return _content(reply, server)
            said = server.secrets.words(_said(reply.content))
            if reply.status not in {429, 500, 502, 503, 504}:
                raise DatasetError(f"{server.address}: the server refuses ({reply.status}): {said}")
            wait = min(retry_after(reply.headers) or wait, MAX_WAIT_S)
        if attempt < TRIES - 1:
            await asyncio.sleep(wait)
    raise DatasetError(f"{server.address}: the server did not answer in {TRIES} tries: {said}")


async def _reply(client: httpx.AsyncClient, server: _Server, parameters: Mapping[str, str]) -> _Reply:
    """Return one answer, unpacked; all of it ends at the limit for a request, and every wait at `WAIT_S`."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    end = began + limit("request")

    def next_wait() -> float:
        return min(end, loop.time() + WAIT_S)

    async with (
        asyncio.timeout_at(next_wait()) as alarm,
        client.stream("GET", server.address, params={**parameters, **server.secret}) as response,
    ):
        unpack = _Unpacking(response.headers.get("content-encoding", ""), server.address)
        content = bytearray()
        packed = 0
        alarm.reschedule(next_wait())
        async for chunk in response.aiter_raw():
            packed += len(chunk)
            took = loop.time() - began
            if took > WAIT_S and packed < _SLOWEST * took:
                raise TimeoutError
            alarm.reschedule(next_wait())
            content += unpack(chunk, limit("answer") + 1 - len(content))
            if len(content) > limit("answer"):
                raise DatasetError(f"{server.address}: the answer is too large: {over('answer')}")
        return _Reply(response.status_code, response.headers, bytes(content))


class _Unpacking:
    """Unpacks what a server sends, and never more of it than is asked for."""

    def __init__(self, encoding: str, address: str) -> None:
        self._address = address
        self._gzip = zlib.decompressobj(_GZIP) if encoding.strip().lower() in {"gzip", "x-gzip"} else None
        if self._gzip is None and encoding.strip().lower() not in {"", "identity"}:
            raise DatasetError(f"{address}: the server compressed its answer in a way that was not asked for")

    def __call__(self, chunk: bytes, most: int) -> bytes:
        """Return what a chunk holds, ``most`` bytes of it at most."""
        if self._gzip is None:
            return chunk[:most]
        try:
            return self._gzip.decompress(chunk, most)
        except zlib.error as error:
            raise DatasetError(f"{self._address}: the answer cannot be unpacked: {error}") from None


def _content(reply: _Reply, server: _Server) -> Answer:
    try:
        page: Answer = mapped(parse_answer(reply.content, f"{server.address}: the answer"), server.secrets.hidden)
    except DatasetError as error:
        said = server.secrets.words(reply.content[: 4 * _WORDS].decode("utf-8", "replace"))
        raise DatasetError(f"{error}: {said}") from None
    return page


def _said(content: bytes) -> str:
    """Return a server's words on what is wrong."""
    try:
        found = parse_answer(content, "")
        return f"{found['error']}: {found['message']}"
    except (DatasetError, KeyError):
        return content[: 4 * _WORDS].decode("utf-8", "replace")
