"""The plots of a dataset's card, as SVG: how many items each species has, and where on Earth they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import log10

import numpy as np

__all__ = ["drawn_places", "places_plot", "species_plot"]

_COLOURS = {"clips": "#3b6ea5", "photographs": "#c9822b"}
_STYLE = """<style>
.dataset-plot text { fill: #333333 } .dataset-plot .grid { stroke: #e2e2e2 } .dataset-plot .paper { fill: #ffffff }
@media (prefers-color-scheme: dark) {
.dataset-plot text { fill: #d5dbd8 } .dataset-plot .grid { stroke: #3a433e } .dataset-plot .paper { fill: #14191d }
}
</style>"""
_WIDTH = 840
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 20, 16, 44
_POINTS = 600  # of a line: more would lie closer together than pixels
_CELL = 0.25  # degrees: dots that lie closer are drawn as one


def species_plot(counts: Mapping[str, Sequence[int]]) -> str | None:
    """Return a plot of the numbers of items of species, from the commonest to the rarest; None without any.

    Parameters
    ----------
    counts
        Of ``clips`` and of ``photographs``, the number of each species, in any order.
    """
    drawn = {name: np.sort(np.asarray(values))[::-1] for name, values in counts.items() if len(values)}
    if not drawn:
        return None
    width, height = _WIDTH - _LEFT - _RIGHT, 280
    most = max(len(values) for values in drawn.values())
    steps = _axis_steps(max(values[0] for values in drawn.values()))
    decades = log10(steps[-1])

    def at(rank: float, count: float) -> tuple[float, float]:
        return _LEFT + width * (rank - 1) / max(1, most - 1), _TOP + height * (1 - log10(count) / decades)

    parts = []
    for count in steps:
        y = at(1, count)[1]
        parts += [_line(_LEFT, y, _LEFT + width, y), _text(_LEFT - 8, y + 4, f"{count:,}", "end")]
    for rank in dict.fromkeys((1, (1 + most) // 2, most)):
        parts.append(_text(at(rank, 1)[0], _TOP + height + 18, f"{rank:,}"))
    for name, values in drawn.items():
        ranks = np.unique(np.linspace(0, len(values) - 1, min(len(values), _POINTS)).astype(int))
        points = ["{:.1f},{:.1f}".format(*at(rank + 1, values[rank])) for rank in ranks]
        path = " ".join(points if len(points) > 1 else points * 2)  # the ends of a line of no length are a dot
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{_COLOURS[name]}" stroke-width="2" '
            'stroke-linecap="round" stroke-linejoin="round"/>'
        )
    parts += _legend(drawn, _LEFT + width - 120, _TOP + 14)
    parts.append(_text(_LEFT + width / 2, _TOP + height + 38, "species, from the commonest to the rarest"))
    parts.append(_upright(_TOP + height / 2, "items"))
    return _svg("Items a species, from the commonest to the rarest", height, parts)


def places_plot(places: Mapping[str, np.ndarray]) -> str | None:
    """Return a plot of places on a map in degrees of longitude and latitude; None without any.

    Parameters
    ----------
    places
        Of ``clips`` and of ``photographs``, an array ``(items, 2)`` of longitudes and latitudes.
    """
    drawn = {name: values for name, values in places.items() if len(values)}
    if not drawn:
        return None
    scale = (_WIDTH - _LEFT - _RIGHT) / 360
    height = 180 * scale
    parts = []
    for east in range(-180, 181, 60):
        x = _LEFT + scale * (east + 180)
        parts += [_line(x, _TOP, x, _TOP + height), _text(x, _TOP + height + 18, f"{east}".replace("-", "−"))]
    for north in range(-90, 91, 30):
        y = _TOP + scale * (90 - north)
        parts += [
            _line(_LEFT, y, _LEFT + 360 * scale, y),
            _text(_LEFT - 8, y + 4, f"{north}".replace("-", "−"), "end"),
        ]
    for name, values in reversed(drawn.items()):
        cells = drawn_places(values)
        dots = "".join(
            f"M{_LEFT + scale * (east + 180):.1f} {_TOP + scale * (90 - north):.1f}h0" for east, north in cells
        )
        parts.append(
            f'<path d="{dots}" fill="none" stroke="{_COLOURS[name]}" stroke-width="3" stroke-linecap="round" '
            'stroke-opacity="0.6"/>'
        )
    parts += _legend(drawn, _LEFT + 12, _TOP + height - 34)
    parts.append(_text(_LEFT + 180 * scale, _TOP + height + 38, "longitude, degrees east"))
    parts.append(_upright(_TOP + height / 2, "latitude, degrees north"))
    return _svg("Where clips and photographs come from", height, parts)


def drawn_places(places: np.ndarray) -> np.ndarray:
    """Return the places ``(places, 2)`` of the dots that are drawn for items at some places ``(items, 2)``."""
    return np.unique(np.round(places / _CELL), axis=0) * _CELL


def _axis_steps(largest: int) -> list[int]:
    """Return the marks of a logarithmic axis from 1 on, with those between decades where there are two at most."""
    firsts = (1, 2, 5) if largest <= 100 else (1,)
    marks = [first * 10**power for power in range(len(str(largest)) + 1) for first in firsts]
    return [mark for place, mark in enumerate(marks) if not place or marks[place - 1] < max(largest, 2)]


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    whole = _TOP + height + _BOTTOM
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {whole:.0f}" width="{_WIDTH}" '
        f'height="{whole:.0f}" font-family="system-ui, sans-serif" font-size="13" class="dataset-plot" role="img">\n'
        f'<title>{title}</title>\n{_STYLE}\n<rect width="100%" height="100%" class="paper"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" class="grid"/>'


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _upright(y: float, text: str) -> str:
    """Return the name of the y axis, which is read from below."""
    return f'<text x="16" y="{y:.1f}" text-anchor="middle" transform="rotate(-90 16 {y:.0f})">{text}</text>'


def _legend(names: Mapping[str, object], x: float, y: float) -> Iterator[str]:
    for place, name in enumerate(names):
        yield f'<circle cx="{x:.1f}" cy="{y + 20 * place - 4:.1f}" r="5" fill="{_COLOURS[name]}"/>'
        yield _text(x + 12, y + 20 * place, name, "start")
