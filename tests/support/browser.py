"""A headless Chromium, driven over two pipes by its own protocol: no driver and no library stand between."""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Browser", "Tab", "find_browser", "open_browser"]

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_OPTIONS = (
    *("--headless", "--remote-debugging-pipe", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--no-first-run", "--disable-extensions", "--disable-background-networking", "--force-color-profile=srgb"),
)
# It reads from descriptor 3 and writes to descriptor 4; subprocess hands descriptors over as they are numbered.
_START = """
import fcntl, os, sys
for number, given in zip((3, 4), [fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in sys.argv[1:3]]):
    os.dup2(given, number)
os.execv(sys.argv[3], sys.argv[3:])
"""
_SECONDS = 60  # that an answer may take on a busy machine


def find_browser() -> str | None:
    """Return the path of a Chromium on this machine; None where there is none, or no pipes for it as on Windows."""
    return next(filter(None, map(shutil.which, _PROGRAMS)), None) if os.name == "posix" else None


@contextmanager
def open_browser(program: str) -> Iterator[Browser]:
    """Start a browser with a profile of its own, and end it."""
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            yield browser
        finally:
            browser.close()


class Browser:
    """A running browser; `open_browser` starts one."""

    def __init__(self, program: str, profile: str) -> None:
        reads, self._to = os.pipe()
        self._from, writes = os.pipe()
        options = [*_OPTIONS, f"--user-data-dir={profile}", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", _START, str(reads), str(writes), program, *options, "about:blank"],
            pass_fds=(reads, writes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(reads)
        os.close(writes)
        self._numbers = itertools.count(1)
        self._received = b""
        self._events: list[dict[str, Any]] = []

    def close(self) -> None:
        """End the browser."""
        os.close(self._to)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._from)

    def open(self, page: Path) -> Tab:
        """Open a file in a tab of its own, and wait until all of it is there."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, target, session)
        tab.ask("Page.enable")
        answer = tab.ask("Page.navigate", url=page.resolve().as_uri())
        assert "errorText" not in answer, f"{page}: {answer['errorText']}"
        self.wait_for("Page.loadEventFired", session)
        return tab

    def ask(self, method: str, session: str | None = None, /, **parameters: Any) -> dict[str, Any]:
        """Return the answer to a call of the protocol."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        self._send(json.dumps(message).encode() + b"\0")
        for found in self._messages():
            if found.get("id") == number:
                assert "error" not in found, f"{method}: {found['error']}"
                return found["result"]
            self._events.append(found)
        raise AssertionError(f"the browser ended before it answered {method}")

    def wait_for(self, event: str, session: str) -> None:
        """Wait for an event of a tab, which may have come already."""
        for found in itertools.chain(self._events, self._messages()):
            if (found.get("method"), found.get("sessionId")) == (event, session):
                self._events.clear()
                return
        raise AssertionError(f"the browser ended before {event}")

    def _send(self, message: bytes) -> None:
        try:
            while message:
                message = message[os.write(self._to, message) :]
        except BrokenPipeError:
            raise AssertionError(f"the browser ended by itself: {self._process.wait()}") from None

    def _messages(self) -> Iterator[dict[str, Any]]:
        until = time.monotonic() + _SECONDS
        while True:
            while b"\0" in self._received:
                message, _, self._received = self._received.partition(b"\0")
                yield json.loads(message)
            ready, _, _ = select.select([self._from], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"the browser has not answered within {_SECONDS} s"
            received = os.read(self._from, 1 << 20)
            if not received:
                return
            self._received += received


class Tab:
    """A page in a browser."""

    def __init__(self, browser: Browser, target: str, session: str) -> None:
        self._browser, self._target, self._session = browser, target, session

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer of the page to a call of the protocol."""
        return self._browser.ask(method, self._session, **parameters)

    def show(self, width: int, scheme: str, medium: str = "screen", height: int = 900) -> None:
        """Lay the page out ``width`` pixels wide, in the colours ``light`` or ``dark``."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.ask("Emulation.setEmulatedMedia", media=medium, features=features)

    def evaluate(self, script: str) -> Any:
        """Return the value of an expression in JavaScript."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer.get("exceptionDetails")
        return answer["result"].get("value")

    def photograph(self, *, at_most: int | None = None) -> bytes:
        """Return a picture of the whole page as PNG, or of its first ``at_most`` pixels from the top."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        height = size["height"] if at_most is None else min(size["height"], at_most)
        clip = {"x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1}
        return base64.b64decode(
            self.ask("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)["data"]
        )

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=_CODES[key])

    def close(self) -> None:
        """Close the tab."""
        self._browser.ask("Target.closeTarget", targetId=self._target)


_CODES = {"Tab": 9, "ArrowRight": 39, "Escape": 27}
