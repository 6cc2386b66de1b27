"""Which bytes of a file are its sound, where its header states another length than there is."""

from __future__ import annotations

import io
from dataclasses import dataclass

from biovita.errors import MediaError
from biovita.media.file_window import FileWindow
from biovita.media.packed_files import MediaPath

__all__ = ["TRUNCATION_TOLERANCE_S", "SoundBytes", "truncated"]

# Less is told in a warning: encoders state a frame more or less, downloads lose a tag.
TRUNCATION_TOLERANCE_S = 0.1


@dataclass(frozen=True, slots=True)
class SoundBytes:
    """What looking at a container showed.

    Attributes
    ----------
    warnings
        What is unusual about it and does not stop its use.
    header
        What a decoder has to see in place of the file's own header; empty where that one is right.
    start, end
        The bytes of the file that follow ``header``.
    """

    warnings: tuple[str, ...] = ()
    header: bytes = b""
    start: int = 0
    end: int = 0

    def window(self, file: io.BufferedReader) -> FileWindow:
        """Return a view of ``file`` under the header that is right."""
        return FileWindow(file, self.header, (self.start, self.end))


def truncated(path: MediaPath, detail: str) -> MediaError:
    """Return the error for a file that lacks a part of its sound."""
    return MediaError("truncated", f"{path}: the file is cut short: {detail}")
