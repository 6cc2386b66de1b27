"""A server of media that fails in every way, and how to plan for it."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Resource:
    """What lies under a path.

    ``fails`` are what the first requests get instead of the content, one each: a status, ``cut``, ``hang-up`` or
    ``drip``.
    """

    content: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    fails: tuple[int | str, ...] = ()
    ranges: bool = True
    etag: bool = True
    length: bool = True


class MediaServer(ThreadingHTTPServer):
    """Serves `resources` and counts what it was asked for and what it sent whole."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.resources: dict[str, Resource] = {}
        self.asked: Counter[str] = Counter()
        self.whole: Counter[str] = Counter()
        self.agents: set[str] = set()
        self.moments: list[float] = []
        self.lock = threading.Lock()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients that were killed


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: MediaServer

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        with self.server.lock:
            number = self.server.asked[path]
            self.server.asked[path] += 1
            self.server.agents.add(self.headers.get("user-agent", ""))
        found = self.server.resources.get(path)
        if found is None:
            return self._plain(404)
        fail = found.fails[number] if number < len(found.fails) else None
        if isinstance(fail, int):
            return self._plain(fail, {"Retry-After": "0"} if fail == 429 else {})
        if fail == "hang-up":
            self.close_connection = True
            return None
        if found.status != 200:
            return self._plain(found.status, found.headers)
        return self._send(path, found, fail)

    def _plain(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, path: str, found: Resource, fail: str | None) -> None:
        etag = f'"{hashlib.md5(found.content).hexdigest()}"'
        start, end = 0, len(found.content)
        asked = self.headers.get("range")
        if asked and found.ranges and self.headers.get("if-range", etag) == etag:
            first, last = asked.removeprefix("bytes=").split("-")
            start, end = int(first), min(end, int(last) + 1 if last else end)
            if start >= len(found.content):
                return self._plain(416)
        body = found.content[start:end]
        is_part = len(body) < len(found.content)
        self.send_response(206 if is_part else 200)
        if is_part:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(found.content)}")
        if found.length:
            self.send_header("Content-Length", str(len(body)))
        if found.etag:
            self.send_header("ETag", etag)
        for name, value in found.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if fail == "drip":
            for number in range(100):
                self.wfile.write(body[number : number + 1])
                self.wfile.flush()
                time.sleep(0.02)
            body = body[100:]
        if fail == "cut":
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
            return None
        self.wfile.write(body)
        if not found.length:
            self.close_connection = True
        with self.server.lock:
            self.server.whole[path] += end == len(found.content)
        return None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - of the base class
        pass


@contextmanager
def media_server() -> Iterator[MediaServer]:
    server = MediaServer()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
