from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from PIL import Image

from biovita.benchmark import benchmark_from_split, score_benchmark
from biovita.dataset import split_dataset
from biovita.modality import Modality
from biovita.report import ReportContent, results, write_report
from biovita.report.charts import axis_top, bar_chart, line_chart
from biovita.report.thumbnails import sound_view, thumbnail
from biovita.towers import EncoderCard
from support.bench_cases import class_vectors, write_small

VOID = {"meta", "link", "img", "input", "br", "hr"}


class Page(HTMLParser):
    """Collects tags, and checks that they nest."""

    def __init__(self):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else, near {self.getpos()}"

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run over real small files, one of each kind missing."""
    folder = tmp_path_factory.mktemp("report") / "small"
    dataset = write_small(folder)
    rng = np.random.default_rng(0)
    for row in dataset.audio.to_pylist():
        tone = 0.4 * np.sin(2 * np.pi * 1500 * np.arange(12_000) / 8000)
        soundfile.write(folder / row["path"], tone + 0.01 * rng.normal(size=12_000), 8000)
    for row in dataset.images.to_pylist():
        Image.fromarray(rng.integers(0, 255, (40, 60, 3), np.uint8)).save(folder / row["path"])
    split_dataset(dataset, unseen=8, seed=3, held_out=0.4)
    benchmark = benchmark_from_split(dataset)
    stages = {stage: class_vectors(benchmark, dataset, noise) for stage, noise in ((0, 40.0), (1, 2.0), (2, 1.0))}
    seen = [row for row in benchmark.items[Modality.IMAGE].to_pylist() if row["part"] == "seen"]
    dataset.locate(seen[0]["path"]).unlink()
    return ReportContent(
        title="A <run> & more",
        benchmark=benchmark,
        scores={stage: score_benchmark(benchmark, vectors) for stage, vectors in stages.items()},
        vectors=stages[2],
        towers=[
            EncoderCard(
                "birdnet-2.4", Modality.AUDIO, 4, "somewhere", "sha256:" + "0" * 64, "CC", "Mind the terms."
            )
        ],
        losses={"stage 1": [3.0, 2.0, 1.5], "stage 2": [1.0]},
        made={"seed": 0, "recipe": {"dim": 8}},
        times={"training": 12.3},
        dataset=dataset,
    )


@pytest.fixture(scope="module")
def written(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    page, numbers = write_report(out, run)
    parsed = Page()
    parsed.feed(page.read_text(encoding="utf-8"))
    parsed.close()
    return page, numbers, parsed


@pytest.mark.slow
def test_the_page_is_well_formed_and_its_ids_are_unique(written):
    _, _, parsed = written
    assert parsed.open == []
    ids = Counter(attrs["id"] for _, attrs in parsed.tags if "id" in attrs)
    assert set(ids.values()) == {1}
    for _, attrs in parsed.tags:
        for name in ("aria-labelledby", "for"):
            assert attrs.get(name, next(iter(ids))) in ids
        if attrs.get("href", "").startswith("#"):
            assert attrs["href"][1:] in ids


def test_nothing_is_loaded_from_elsewhere(written):
    page, _, parsed = written
    for tag, attrs in parsed.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            if attrs.get(name):
                assert attrs[name].startswith(("data:", "#")), (tag, name, attrs[name][:60])
        assert tag not in {"iframe", "object", "embed", "base"}
    text = re.sub(r"data:[a-z/]+;base64,[A-Za-z0-9+/=]+", "", page.read_text(encoding="utf-8"))
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|WebSocket", text)


def test_pictures_have_words_and_players_sound(written):
    _, _, parsed = written
    images = [attrs for tag, attrs in parsed.tags if tag == "img"]
    assert len(images) > 20
    assert all(attrs["alt"] for attrs in images)
    assert {attrs["src"].split(";")[0] for attrs in images} == {"data:image/jpeg", "data:image/png"}
    sounds = [attrs for tag, attrs in parsed.tags if tag == "audio"]
    assert sounds
    assert all(attrs["src"].startswith("data:audio/mpeg;base64,") for attrs in sounds)
    assert all("controls" in attrs for attrs in sounds), "they work without the script"


def test_what_a_reader_has_to_know_is_there(written):
    _, _, parsed = written
    text = " ".join("".join(parsed.text).split())
    assert "A <run> & more" in text, "escaped, and shown as it is"
    for needed in (
        "unseen by the alignment",
        "BirdNET",
        "Mind the terms.",
        "nobody",
        "CC0-1.0",
        "times chance",
        "queries whose species has no image here",
        "12 s",
    ):
        assert needed in text, needed


def test_settings_are_rows_and_not_what_python_prints(written):
    page = written[0].read_text(encoding="utf-8")
    assert '<th scope="row">recipe.dim</th><td>8</td>' in page
    assert "{&#39;" not in page


def test_two_classes_are_bars_and_a_loss_that_does_not_change_is_words(written):
    page, _, parsed = written
    text = page.read_text(encoding="utf-8")
    assert text.count('<b class="k10"') == 6 * 3, "of six directions, all and two classes"
    assert 'class="shape' not in text
    assert " ".join("".join(parsed.text).split()).count("Nothing is drawn, for nothing changes: loss 1") == 1


@pytest.mark.slow
def test_a_file_that_is_gone_is_said_so(run, tmp_path):
    from biovita.report.examples import examples

    faults = {
        card.fault
        for example in examples(run, part="seen", per_direction=40, count=40)
        for card in (example.query, *example.nearest)
    }
    assert faults == {None, "missing"}


@pytest.mark.slow
def test_examples_show_the_rank_that_was_scored(run):
    from biovita.report.examples import examples

    shown = examples(run, part="unseen")
    assert len(shown) == 18
    for example in shown:
        places = [near.relation == "correct" for near in example.nearest]
        assert (example.rank - 1 < 5) == any(places)
        if any(places):
            assert places.index(True) == example.rank - 1
        assert len({near.name for near in example.nearest}) == len(example.nearest)


@pytest.mark.slow
def test_results_are_the_same_twice_and_name_no_path_or_time(run, written, tmp_path):
    _, numbers, _ = written
    again = write_report(tmp_path / "again", run)[1]
    assert numbers.read_bytes() == again.read_bytes()
    assert str(run.dataset.path) not in numbers.read_text(encoding="utf-8")
    assert "12.3" not in numbers.read_text(encoding="utf-8")


def test_results_hold_every_row_with_its_fields(run, written):
    found = json.loads(written[1].read_text(encoding="utf-8"))
    assert found == json.loads(json.dumps(results(run)))
    fields = {"stage", "part", "direction", "level", "k", "accuracy", "chance", "low", "high", "queries", "taxa"}
    assert len(found["scores"]) == 3 * 36 * 3
    for row in found["scores"]:
        assert fields <= set(row)
        assert row["stage"] in {0, 1, 2}
        assert row["part"] in {"seen", "unseen"}
        assert 0 <= row["low"] <= row["accuracy"] <= row["high"] <= 1
    assert {row["class"] for row in found["by_class"]} == {"All", "Aves", "Amphibia"}
    assert found["near_misses"]
    assert found["dataset"]["split"]["unseen_species"] == 8
    assert found["losses"]["stage 1"] == [3.0, 2.0, 1.5]


def test_a_single_model_without_dataset_or_training_has_a_page(run, tmp_path):
    vectors = {m: t for m, t in run.vectors.items() if m != Modality.AUDIO}
    alone = ReportContent("One model", run.benchmark, {"mine": score_benchmark(run.benchmark, vectors)}, vectors)
    page = write_report(tmp_path, alone)[0].read_text(encoding="utf-8")
    assert "photo → name" in page
    assert "name → sound" not in page
    parsed = Page()
    parsed.feed(page)
    assert parsed.open == []


@pytest.mark.slow
def test_nothing_half_written_stays(run, tmp_path, monkeypatch):
    from pathlib import Path

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        write_report(tmp_path / "r", run)
    assert list((tmp_path / "r").iterdir()) == []


def test_an_excerpt_is_the_loudest_part_and_decodes(tmp_path):
    import base64
    import io

    rate = 16_000
    samples = 0.001 * np.random.default_rng(0).normal(size=30 * rate)
    samples[20 * rate : 23 * rate] += 0.5 * np.sin(2 * np.pi * 3000 * np.arange(3 * rate) / rate)
    soundfile.write(tmp_path / "a.wav", samples, rate)
    view = sound_view(tmp_path / "a.wav", 2.0, 29.0)
    assert 14.5 <= view.start_s <= 18.5, "the call is 18 to 21 s after the clip's start"
    assert view.seconds == pytest.approx(6.0)
    content = base64.b64decode(view.audio.split(",")[1])
    decoded, found = soundfile.read(io.BytesIO(content))
    assert len(decoded) / found == pytest.approx(6.0, abs=0.1)
    assert len(content) < 80_000
    picture = Image.open(io.BytesIO(base64.b64decode(view.picture.split(",")[1])))
    assert picture.size == (360, 120)


def test_a_thumbnail_is_small(tmp_path):
    import base64
    import io

    Image.new("RGB", (2000, 1000), (200, 30, 30)).save(tmp_path / "a.png")
    small = Image.open(io.BytesIO(base64.b64decode(thumbnail(tmp_path / "a.png").split(",")[1])))
    assert small.size == (256, 128)


def test_charts_stay_inside_their_frame():
    chart = line_chart("a", {"loss": [(1, 3.0), (2, 1.0), (3, 2.0)]})
    numbers = [float(n) for n in re.findall(r"[\d.]+", chart.lines[0].path)]
    assert min(numbers[::2]) == 46
    assert max(numbers[::2]) == 352
    assert min(numbers[1::2]) >= 10
    assert max(numbers[1::2]) <= 128
    assert [axis_top(x) for x in (0.01, 0.4, 0.41, 0.99)] == [0.08, 0.4, 0.6, 1.0]


def test_a_chart_knows_whether_there_is_something_to_see():
    assert line_chart("a", {"loss": [(1, 3.0), (2, 1.0)], "none": [(1, 0.0), (2, 0.0)]}).changes
    assert not line_chart("a", {"loss": [(1, 0.0), (2, 0.0)], "other": [(1, 0.3)]}).changes
    assert line_chart("a", {"loss": []}) is None


def test_bars_lie_with_the_smallest_on_top():
    (row, empty) = bar_chart("a", ["Aves", "Amphibia"], {1: [0.25, None], 5: [0.5, None], 10: [1.0, 0.0]}).rows
    assert row.shares == ((10, 1.0), (5, 0.5), (1, 0.25))
    assert empty.shares == ((10, 0.0), (5, 0.0), (1, 0.0))
