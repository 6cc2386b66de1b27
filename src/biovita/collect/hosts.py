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
from biovita.redact import redacted
from biovita.sources.web import MAX_WAIT_S

__all__ = ["Pace", "check_address", "guarded_transport"]

_LAST_32 = 0xFFFFFFFF
_UNICAST = ipaddress.IPv6Network(
    "2000::/3"
)  # all that is given out; the rest is local, embeds IPv4 or is reserved
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052; 64:ff9b:1::/48 of RFC 8215 is for local use
_RESERVED = tuple(map(ipaddress.IPv6Network, ("2001:db8::/32", "3fff::/20")))  # for documentation
_ISATAP, _ISATAP_MASK = 0x5EFE, 0xFDFFFFFF  # RFC 5214: 0000:5efe or 0200:5efe before the IPv4 address


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
        raise MediaError("bad-address", f"{redacted(address)!r}: {error}") from None
    if parts.scheme.lower() not in {"http", "https"} or not host:
        raise MediaError("bad-address", f"{redacted(address)!r} is not an http or https address")
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
    if not _is_public(found):
        raise MediaError("private-address", f"{host} is {found}, which is private, loopback or reserved")


def _is_public(found: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Say whether an address, and the IPv4 address in it where it leads to one, is a public one."""
    if isinstance(found, ipaddress.IPv4Address):
        return found.is_global and not found.is_multicast
    if found.ipv4_mapped is not None or found in _NAT64:
        return _is_public(ipaddress.IPv4Address(int(found) & _LAST_32))
    return (
        found in _UNICAST
        and found.is_global
        and not any(found in each for each in _RESERVED)
        and all(map(_is_public, _embedded(found)))
    )


def _embedded(found: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses to which routers would send what is for a public IPv6 address."""
    number = int(found)
    numbers = []
    if found.sixtofour is not None:
        numbers.append(int(found.sixtofour))
    if found.teredo is not None:
        numbers += map(int, found.teredo)
    if number >> 32 & _ISATAP_MASK == _ISATAP:
        numbers.append(number & _LAST_32)
    return [ipaddress.IPv4Address(each) for each in numbers]


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
        raise httpcore.ConnectError(f"{path} is a socket of this machine, and biovita does not connect to it")

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
