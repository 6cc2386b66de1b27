"""Parts of pictures: boxes of x, y, width and height, as shares of the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biovita.errors import MediaError
from biovita.media.inputs import Box

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["boxed"]


def boxed(image: Image.Image, box: Box) -> Image.Image:
    """Return the part of a picture in a box of x, y, width and height, as shares of it; a pixel at least.

    Raises
    ------
    MediaError
        ``box-outside`` where the box is empty or not within the picture.
    """
    x, y, width, height = box
    slack = 1e-6
    if not (x >= 0 and y >= 0 and width > 0 and height > 0 and x + width <= 1 + slack and y + height <= 1 + slack):
        raise MediaError(
            "box-outside",
            f"the box {', '.join(f'{number:g}' for number in box)} is not within the picture: x, y, width and height "
            "are shares of it, from 0 to 1",
        )
    left, top = min(int(x * image.width), image.width - 1), min(int(y * image.height), image.height - 1)
    right = max(left + 1, min(round((x + width) * image.width), image.width))
    bottom = max(top + 1, min(round((y + height) * image.height), image.height))
    return image.crop((left, top, right, bottom))
