"""A server on a bare socket, which answers what no HTTP library would, and counts who asked."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

Answer = bytes | Callable[[socket.socket], None]


class OddServer:
    """Answers each path with bytes as they are, or lets a function write to the connection."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.answers = dict(answers)
        self.asked: Counter[str] = Counter()
        self.heard: list[bytes] = []
        self.ended = False
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def close(self) -> None:
        self.ended = True
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                part = connection.recv(65536)
                if not part:
                    break
                request += part
            self.heard.append(request)
            words = request.split(b" ")
            path = words[1].decode("latin-1").partition("?")[0] if len(words) > 1 else ""
            self.asked[path] += 1
            answer = self.answers.get(path, answer_of(b"", status="404 Not Found"))
            if callable(answer):
                answer(connection)
            else:
                connection.sendall(answer)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)


def answer_of(body: bytes, *headers: str | bytes, status: str = "200 OK", length: bool = True) -> bytes:
    """Return a whole answer, with headers as they are given."""
    lines = [f"HTTP/1.1 {status}".encode()]
    lines += [each if isinstance(each, bytes) else each.encode() for each in headers]
    lines += [f"Content-Length: {len(body)}".encode()] if length else []
    return b"\r\n".join([*lines, b"Connection: close", b"", body])


def dripping(
    start: bytes, drop: bytes, seconds: float = 120, pause: float = 0.1
) -> Callable[[socket.socket], None]:
    """Return an answer that begins, and then goes on drop by drop."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(start)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            connection.sendall(drop)
            time.sleep(pause)

    return answer


@contextmanager
def odd_server(answers: Mapping[str, Answer]) -> Iterator[OddServer]:
    server = OddServer(answers)
    try:
        yield server
    finally:
        server.close()
