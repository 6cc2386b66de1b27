"""Write down which media a process decodes and what it encodes.

A line a file that soundfile or Pillow opens, and a line an item that one of the starter's towers encodes.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import PIL.Image
import soundfile

from biovita.towers.birdnet import BirdNET
from biovita.towers.efficientnet import EfficientNetLite2
from biovita.towers.minilm import MiniLM


def name_of(file: Any) -> str:
    """Return the name of a file that is given by path, as an open file, or not at all."""
    place = file if isinstance(file, str | bytes | Path) else getattr(file, "name", "")
    return Path(os.fsdecode(place)).name if isinstance(place, str | bytes | Path) else ""


def count(log: Path) -> None:
    """Put ourselves between biovita and what decodes and encodes for it."""
    lines = log.open("a", encoding="utf-8", buffering=1)

    class Sound(soundfile.SoundFile):
        def __init__(self, file: Any, mode: str | None = "r", *more: Any, **named: Any) -> None:
            super().__init__(file, mode, *more, **named)
            if "w" not in self.mode:
                lines.write(f"decoded {name_of(file)}\n")

    open_image = PIL.Image.open

    def opened(file: Any, *more: Any, **named: Any) -> PIL.Image.Image:
        lines.write(f"decoded {name_of(file)}\n")
        return open_image(file, *more, **named)

    def encoding(tower: Any) -> None:
        encode: Callable[..., Any] = tower.encode

        def counted(self: Any, batch: Sequence[Any]) -> Any:
            for loaded in batch:
                lines.write(f"encoded {tower.__name__} {zlib.crc32(loaded.tobytes())}-{loaded.shape}\n")
            return encode(self, batch)

        tower.encode = counted

    soundfile.SoundFile = Sound
    PIL.Image.open = opened
    for tower in (BirdNET, EfficientNetLite2, MiniLM):
        encoding(tower)
