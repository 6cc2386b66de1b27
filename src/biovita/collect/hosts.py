"""Which addresses may be asked, and when: http and https, public hosts, each at its pace."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx

from biovita.errors import MediaError
from biovita.sources.web import MAX_WAIT_S

__all__ = ["Pace", "check_address", "guarded_transport"]


def check_address(address: str) -> str:
    """Return the host of an address that may be asked for.

    Raises
    ------
    MediaError
        ``bad-address`` where it is not http or https, has no host, or holds a user name or password.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise MediaError("bad-address", f"{address!r}: {error}") from None
    if parts.scheme.lower() not in {"http", "https"} or not host:
        raise MediaError("bad-address", f"{address!r}: accepted are http and https addresses")
    if parts.username is not None or parts.password is not None:
        raise MediaError("bad-address", "the address holds a user name or password")
    return host.lower()


def check_ip(text: str, host: str) -> None:
    """Refuse an IP address that is not a public one.

    Raises
    ------
    MediaError
        ``private-address``.
    """
    found = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if not found.is_global or found.is_multicast:
        raise MediaError("private-address", f"{host} is {found}, which is private, loopback or reserved")


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to public addresses only; what is checked is what is connected to, with no second look-up."""

    def __init__(self) -> None:
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} is not known: {error}") from None
        numbers = list(dict.fromkeys(str(each[4][0]) for each in found))
        for number in numbers:
            check_ip(number, host)
        failed: Exception = httpcore.ConnectError(f"{host} has no address")
        for number in numbers:
            try:
                return await self._inner.connect_tcp(
                    number, port, timeout=timeout, local_address=local_address, socket_options=socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    async def connect_unix_socket(self, path: str, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError(f"{path}: sockets of this machine are not asked")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def guarded_transport(*, allow_private: bool, connections: int) -> httpx.AsyncBaseTransport:
    """Return the transport of an HTTP client; unless allowed, it connects to public addresses only."""
    transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=connections))
    if not allow_private:
        # httpx passes its pool no network backend; setting it before the first connection is what httpcore offers.
        transport._pool._network_backend = _GuardedBackend()
    return transport


class Pace:
    """Requests to one host: at most so many at once and a second, and none while it asks for a pause."""

    def __init__(self, at_once: int, per_second: float) -> None:
        self.turns = asyncio.Semaphore(at_once)
        self._gap = 1.0 / per_second
        self._next = 0.0

    async def wait(self) -> float:
        """Wait for this request's turn; call it with one of `turns`.

        Returns
        -------
        float
            Seconds that the host still asks for, where those are more than one waits; 0 when it is the turn.
        """
        while (left := self._next - time.monotonic()) > 0:
            if left > MAX_WAIT_S:
                return left
            await asyncio.sleep(left)
        self._next = max(self._next, time.monotonic()) + self._gap
        return 0.0

    def pause(self, seconds: float) -> None:
        """Ask nothing of the host for so long."""
        self._next = max(self._next, time.monotonic() + seconds)
