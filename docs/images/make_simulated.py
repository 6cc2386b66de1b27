"""Draw docs/images/simulated-pictures.jpg and simulated-calls.png: python docs/images/make_simulated.py."""  # noqa: INP001

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from biovita.media.spectrogram import spectrogram_png
from biovita.simulation import Fauna, SpeciesTruth
from biovita.simulation.calls import SAMPLE_RATE, recording
from biovita.simulation.pictures import picture
from biovita.simulation.seeds import stream

SEED = 5
HERE = Path(__file__).parent


def one_of_each(fauna: Fauna, kind: Callable[[SpeciesTruth], str], count: int) -> list[SpeciesTruth]:
    """Return the first species of each kind, in the order in which they came."""
    found: dict[str, SpeciesTruth] = {}
    for truth in fauna.species:
        found.setdefault(kind(truth), truth)
    return list(found.values())[:count]


def sheet(tiles: list[Image.Image], names: list[str], columns: int) -> Image.Image:
    """Return tiles in rows, each over its name."""
    width, height = tiles[0].size
    line, gap = 15, 4
    rows = -(-len(tiles) // columns)
    page = Image.new("RGB", (columns * (width + gap) + gap, rows * (height + line + gap) + gap), (250, 249, 246))
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(9.5)
    for number, (tile, name) in enumerate(zip(tiles, names, strict=True)):
        x, y = gap + number % columns * (width + gap), gap + number // columns * (height + line + gap)
        page.paste(tile, (x, y))
        pen.text((x + width / 2, y + height + line / 2), name, fill=(40, 38, 36), font=font, anchor="mm")
    return page


def main() -> None:
    """Draw both sheets."""
    fauna = Fauna.grow(2500, SEED)
    species = one_of_each(fauna, lambda truth: truth.place.archetype.noun, 35)
    tiles = [
        picture(truth.looks, truth.ecology, stream(SEED, "photograph", truth.index, 0)).resize(
            (184, 184), Image.Resampling.LANCZOS
        )
        for truth in species
    ]
    names = [truth.taxon.common_name or "" for truth in species]
    sheet(tiles, names, 7).save(HERE / "simulated-pictures.jpg", quality=80, optimize=True)

    species = one_of_each(fauna, lambda truth: truth.voice.kind, 35)
    tiles = []
    for truth in species:
        sound = recording(truth.voice, truth.ecology, 5.0, 1, stream(SEED, "recording", truth.index, 0))
        tiles.append(Image.open(io.BytesIO(spectrogram_png(sound, SAMPLE_RATE, width=184, height=96))))
    names = [truth.taxon.common_name or "" for truth in species]
    page = sheet([tile.convert("RGB") for tile in tiles], names, 7)
    page.quantize(64, dither=Image.Dither.NONE).save(HERE / "simulated-calls.png", optimize=True)


if __name__ == "__main__":
    main()
