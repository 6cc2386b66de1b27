"""The plots of a dataset's card."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from biovita.publish.plots import places_plot, species_plot

SVG = "{http://www.w3.org/2000/svg}"


def _drawn(svg: str | None) -> ET.Element:
    assert svg is not None
    return ET.fromstring(svg)


def _texts(root: ET.Element) -> list[str]:
    return [str(each.text) for each in root.iter(f"{SVG}text")]


def test_species_fall_from_the_commonest_to_the_rarest_on_a_scale_of_decades() -> None:
    root = _drawn(species_plot({"clips": [1, 1000, 10, 100], "photographs": []}))
    (line,) = root.iter(f"{SVG}polyline")
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert len(points) == 4
    assert np.allclose(
        np.diff(points, axis=0), [points[1][0] - points[0][0], points[1][1] - points[0][1]], atol=0.11
    )
    assert points[0][1] < points[-1][1]
    assert {"1", "10", "100", "1,000", "clips"} <= set(_texts(root))
    assert "photographs" not in _texts(root)


def test_places_lie_where_they_are_on_the_map() -> None:
    places = {
        "clips": np.array([[-180.0, 90.0], [180.0, -90.0], [0.0, 0.0], [0.0, 0.0]]),
        "photographs": np.empty((0, 2)),
    }
    root = _drawn(places_plot(places))
    (dots,) = (each for each in root.iter(f"{SVG}path") if each.attrib.get("stroke-width") == "3")
    found = sorted(tuple(map(float, each.split())) for each in dots.attrib["d"].replace("h0", "").split("M")[1:])
    assert len(found) == 3  # two are one
    first, middle, last = np.array(found)
    assert np.allclose(middle, (first + last) / 2, atol=0.11)
    assert (last - first)[0] == pytest.approx(2 * (last - first)[1], abs=0.2)


def test_size_does_not_grow_with_the_dataset() -> None:
    rng = np.random.default_rng(0)
    svg = species_plot({"clips": rng.integers(1, 500, 20_000), "photographs": rng.integers(1, 500, 20_000)})
    assert svg is not None
    assert len(svg) < 40_000


def test_marks_are_plain_numbers_and_lie_between_decades_where_there_are_few() -> None:
    few = _texts(_drawn(species_plot({"clips": [4, 3, 1], "photographs": [7]})))
    assert [text for text in few if text.isdigit()][:4] == ["1", "2", "5", "10"]
    many = _texts(_drawn(species_plot({"clips": [1_000_000, 1]})))
    assert [text for text in many if text[0].isdigit()][:7] == [f"{10**n:,}" for n in range(7)]


def test_a_single_species_is_a_dot() -> None:
    (line,) = _drawn(species_plot({"clips": [5]})).iter(f"{SVG}polyline")
    first, second = line.attrib["points"].split()
    assert first == second


def test_nothing_is_drawn_of_nothing() -> None:
    assert species_plot({"clips": [], "photographs": []}) is None
    assert places_plot({"clips": np.empty((0, 2)), "photographs": np.empty((0, 2))}) is None
    assert species_plot({"clips": [1]}) is not None
