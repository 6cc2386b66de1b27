"""Files from the web: a part file, gone on with where it stopped, until it is whole."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urljoin

import httpx

from biovita.collect.hosts import Pace, check_address, guarded_transport
from biovita.collect.ledger import Entry, Ledger, stated_address
from biovita.collect.plan import Fetching
from biovita.errors import MediaError
from biovita.limits import limit
from biovita.redact import redacted
from biovita.sources.web import MAX_WAIT_S, backoff, hide_keys, no_cookies, number_in, retry_after, user_agent

__all__ = ["Wanted", "fetch_all"]

_HOPS = 5
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_LONGEST = 1000  # characters of what says that a file is still the same
_SLOWEST = 1000  # bytes a second, over more than the timeout
_PERMANENT = {404: "gone", 410: "gone"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """An item that is to be fetched: its key in the ledger, its address, and what its source says of it.

    Attributes
    ----------
    first
        How many of its first bytes are wanted; None is all.
    """

    key: str
    url: str
    modality: str = "audio"
    stated_s: float | None = None
    first: int | None = None


@dataclass(frozen=True, slots=True)
class _Begun:
    """A file of which there is a part: what the ledger knows, how many bytes are there and wanted, and where."""

    known: Entry
    have: int
    part: Path
    first: int | None = None


class _TransientError(Exception):
    """Something that may be better next time; ``wait`` is what the server asks for."""

    def __init__(self, reason: str, detail: str, wait: float | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.wait = wait


def fetch_all(
    wanted: Iterable[Wanted],
    ledger: Ledger,
    parts: Path,
    how: Fetching,
    finish: Callable[[Wanted, Path], Awaitable[None]],
    *,
    contact: str | None = None,
    backoff_s: float = 1.0,
    done: Callable[[], None] = lambda: None,
) -> None:
    """Fetch items, a bounded number at a time; each whole part goes to ``finish``, each refusal to the ledger.

    Parameters
    ----------
    parts
        Directory of the part files, which are named by the items' keys.
    finish
        Verifies a whole part and writes it down; what it raises as `MediaError` is a rejection.
    backoff_s
        Mean of the first wait after a failure, times two.
    done
        Called after each item, whatever became of it.
    """
    hide_keys()
    parts.mkdir(parents=True, exist_ok=True)

    async def work() -> None:
        async with httpx.AsyncClient(
            transport=guarded_transport(allow_private=how.allow_private, connections=how.at_once),
            headers={"user-agent": user_agent(contact), "accept-encoding": "identity"},
            cookies=no_cookies(),
            timeout=how.timeout_s,
            follow_redirects=False,
        ) as client:
            fetcher = _Fetcher(client, ledger, parts, how, finish, backoff_s)
            queue = iter(wanted)
            async with asyncio.TaskGroup() as group:
                for _ in range(how.at_once):
                    group.create_task(fetcher.work(queue, done))

    try:
        asyncio.run(work())
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


@dataclass
class _Fetcher:
    client: httpx.AsyncClient
    ledger: Ledger
    parts: Path
    how: Fetching
    finish: Callable[[Wanted, Path], Awaitable[None]]
    backoff_s: float
    paces: dict[str, Pace] = field(default_factory=dict)
    random: random.Random = field(default_factory=random.Random)

    async def work(self, queue: Iterable[Wanted], done: Callable[[], None]) -> None:
        for item in queue:
            part = self.parts / item.key
            try:
                await self._whole(item, part)
                await self.finish(item, part)
            except _TransientError as error:
                known = self.ledger.get(item.key) or Entry(item.key, item.url, "failed")
                self.ledger.put(replace(known, state="failed", reason=error.reason, detail=str(error)))
            except MediaError as error:
                self.ledger.put(
                    Entry(item.key, item.url, "rejected", reason=error.reason, detail=redacted(str(error)))
                )
                with suppress(FileNotFoundError):
                    part.unlink()
            done()

    async def _whole(self, item: Wanted, part: Path) -> None:
        """Get a part whole, in as many tries as there are."""
        for attempt in range(self.how.tries):
            try:
                await self._go_on(item, part)
            except _TransientError as error:
                wait = backoff(attempt, self.random, self.backoff_s) if error.wait is None else error.wait
                if attempt == self.how.tries - 1 or wait > MAX_WAIT_S:
                    raise
                await asyncio.sleep(wait)
            else:
                return

    async def _go_on(self, item: Wanted, part: Path) -> None:
        known = self.ledger.get(item.key)
        have = part.stat().st_size if part.is_file() else 0
        if known is None or known.state not in {"started", "failed"} or known.url != stated_address(item.url):
            known, have = Entry(item.key, item.url, "started"), 0
        if known.total is not None and have == known.total:
            return
        if item.first is not None or known.validator is None or not _can_be_sent(known.validator):
            have = 0  # nothing says that the rest would belong to the same file
        address = item.url
        for _ in range(_HOPS + 1):
            target = await self._request(address, _Begun(known, have, part, item.first))
            if target is None:
                return
            try:
                address = urljoin(address, target)
            except ValueError as error:
                raise MediaError("bad-address", f"the server redirects to {redacted(target)!r}: {error}") from None
        raise MediaError("too-many-redirects", f"more than {_HOPS} redirects")

    async def _request(self, address: str, begun: _Begun) -> str | None:
        """Ask for the rest of a file; return where the server points to instead."""
        host = check_address(address)
        pace = self.paces.setdefault(host, Pace(self.how.at_once_per_host, self.how.per_second))
        async with pace.turns:
            if left := await pace.wait():
                raise _TransientError("unreachable", f"{host} asks for a longer pause than biovita waits", left)
            try:
                return await self._answer(address, pace, begun)
            except TimeoutError:
                raise _TransientError("unreachable", "the server takes too long") from None
            except (httpx.TransportError, httpx.DecodingError) as error:
                raise _TransientError("unreachable", f"{type(error).__name__}") from None
            except (httpx.InvalidURL, UnicodeError) as error:
                raise MediaError("bad-address", f"{redacted(address)!r}: {error}") from None

    async def _answer(self, address: str, pace: Pace, begun: _Begun) -> str | None:
        """Ask; all of it ends at the limit for a request, and every wait for a header or a chunk at the plan's."""
        rest = {"range": f"bytes={begun.have}-", "if-range": begun.known.validator or ""} if begun.have else {}
        if begun.first is not None:
            rest = {"range": f"bytes=0-{begun.first - 1}"}
        loop = asyncio.get_running_loop()
        end = loop.time() + limit("request")

        def next_wait() -> float:
            return min(end, loop.time() + self.how.timeout_s)

        async with (
            asyncio.timeout_at(next_wait()) as alarm,
            self.client.stream("GET", address, headers=rest) as response,
        ):
            if response.status_code in {301, 302, 303, 307, 308}:
                return self._target(response)
            if response.status_code == 416:
                begun.part.unlink(missing_ok=True)
            self._check_status(response, pace)
            await self._receive(response, begun, lambda: alarm.reschedule(next_wait()))
        return None

    def _target(self, response: httpx.Response) -> str:
        target = response.headers.get("location")
        if not target:
            raise MediaError("refused", f"the server redirects ({response.status_code}) without an address")
        return str(target)

    def _check_status(self, response: httpx.Response, pace: Pace) -> None:
        status = response.status_code
        if status in {200, 206}:
            return
        if status == 416:
            raise _TransientError(
                "unreachable", "the server cannot continue where the download stopped, so it begins anew", 0.0
            )
        if status in {408, 425, 429} or status >= 500:
            wait = retry_after(response.headers)
            if wait is not None:
                pace.pause(wait)
            raise _TransientError("unreachable", f"the server answers {status}", wait)
        raise MediaError(_PERMANENT.get(status, "refused"), f"the server answers {status}")

    async def _receive(self, response: httpx.Response, begun: _Begun, came: Callable[[], None]) -> None:
        total, start = _extent(response)
        have = begun.have
        if start != have:
            have = 0  # the file has changed, or the server does not go on: from the start
            if start:
                raise _TransientError("unreachable", "the server sent another part of the file than asked for")
        if begun.first is None and total is not None and total > self.how.max_bytes:
            raise MediaError(
                "too-large", f"the file has {total} bytes, and at most {self.how.max_bytes} are accepted"
            )
        validator = _validator(response.headers)
        self.ledger.put(
            replace(begun.known, state="started", total=total, validator=validator, reason=None, detail=None)
        )
        size, clock = have, asyncio.get_running_loop()
        began = clock.time()
        with begun.part.open("r+b" if have else "wb") as file:
            file.seek(have)
            file.truncate()
            came()
            async for chunk in response.aiter_raw():
                came()
                size += len(chunk)
                if size > self.how.max_bytes:
                    raise MediaError("too-large", f"the file has more than {self.how.max_bytes} bytes")
                file.write(chunk)
                if begun.first is not None and size >= begun.first:
                    return
                took = clock.time() - began
                if took > self.how.timeout_s and size - have < _SLOWEST * took:
                    raise _TransientError("unreachable", f"less than {_SLOWEST} bytes a second arrive")
        if begun.first is None and total is not None and size != total:
            raise _TransientError("unreachable", f"{size} of {total} bytes arrived")


def _validator(headers: httpx.Headers) -> str | None:
    """Return what says later whether the file is still the same: a strong ETag, or a date; None where neither is."""
    given = (headers.get("etag", ""), headers.get("last-modified", ""))
    return next((each for each in given if _can_be_sent(each) and not each.startswith("W/")), None)


def _can_be_sent(value: str) -> bool:
    return value.isascii() and value.isprintable() and 0 < len(value) <= _LONGEST


def _extent(response: httpx.Response) -> tuple[int | None, int]:
    """Return the size of the whole file, where it is stated, and the byte that the answer starts with."""
    if response.status_code == 206:
        match = _RANGE.fullmatch(response.headers.get("content-range", ""))
        if match is None or not int(match[1]) <= int(match[2]) < int(match[3]):
            raise _TransientError("unreachable", "the server sent a part of the file without saying which")
        return int(match[3]), int(match[1])
    return number_in(response.headers.get("content-length", "")), 0
