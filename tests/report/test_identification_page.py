from __future__ import annotations

import base64
import io
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from PIL import Image

from biovita.archive.archive_tables import CANDIDATES, DEPLOYMENTS, LEFT_OUT
from biovita.report.event_views import EventViews
from biovita.report.identification_content import EXEMPLARS, IdentificationContent
from biovita.report.identification_page import write_identification_page
from support.found_events import events_of, photographs_of, recordings_of
from support.sound_files import song, write_sound

VOID = {"meta", "link", "img", "input", "br", "hr"}
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
BEGIN = datetime.fromisoformat("2026-05-03T05:00")


class Parsed(HTMLParser):
    """The tags and the text of a page, which have to nest."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else, near {self.getpos()}"

    def handle_data(self, data):
        if self.open[-1:] not in (["style"], ["script"]):
            self.words.append(data)

    def all(self, tag: str, **wanted: str) -> list[dict]:
        return [given for name, given in self.tags if name == tag and wanted.items() <= given.items()]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def bare(**more: object) -> IdentificationContent:
    """A run that was given nothing."""
    tables = {
        "annotations": events_of(),
        "recordings": recordings_of(),
        "photographs": photographs_of(),
        "deployments": DEPLOYMENTS.empty_table(),
        "candidates": CANDIDATES.empty_table(),
        "left_out": LEFT_OUT.empty_table(),
    }
    return IdentificationContent(**{"title": "A morning", **tables, **more})


def event(start: float, name: str = "Pica pica", media: str = "r", **more: object) -> dict:
    return {
        "media_id": media,
        "scientific_name": name,
        "start_s": start,
        "end_s": start + 3.0,
        "best_start_s": start,
        "score": 0.5,
        **more,
    }


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> IdentificationContent:
    """A recording, one of ultrasound, a photograph with a box, a labelled example, and a file that is gone."""
    folder = tmp_path_factory.mktemp("page")
    write_sound(folder / "r.wav", song(20.0, 24_000), 24_000)
    write_sound(folder / "bat.wav", song(2.0, 250_000), 250_000)
    Image.new("RGB", (80, 60), (20, 90, 30)).save(folder / "p.jpg")
    owner = {"license": "CC0-1.0", "attribution": "A. Person"}
    return bare(
        annotations=events_of(
            event(
                4.0,
                common_name="Magpie",
                score=0.9,
                evidence="exemplar",
                nearest_audio="x1",
                runner_up="Corvus corax",
                runner_up_score=0.25,
                begin_local=BEGIN,
                utc_offset_min=60,
                site="Creek",
            ),
            event(10.0, common_name="Magpie", nearest_audio="x1", nearest_image="nowhere"),
            event(
                1.0, "Nyctalus noctula", "bat", end_s=1.02, low_hz=22_000.0, high_hz=40_000.0, plausibility=0.001
            ),
            event(0.0, "Turdus merula", "gone"),
            {
                "media_id": "p",
                "modality": "image",
                "scientific_name": "Vulpes vulpes",
                "score": 0.7,
                "box": [0.25, 0.1, 0.5, 0.8],
            },
            {"media_id": "r", "label": "Engine", "kind": "sound", "start_s": 0.0, "end_s": 3.0, "score": 0.6},
        ),
        recordings=recordings_of(
            {
                "id": "r",
                "path": str(folder / "r.wav"),
                "duration_s": 20.0,
                "begin_local": BEGIN,
                "utc_offset_min": 60,
                "deployment_id": "d",
                **owner,
            },
            {"id": "bat", "path": str(folder / "bat.wav"), "duration_s": 2.0, "sample_rate": 250_000},
            {"id": "gone", "path": str(folder / "gone.wav")},
        ),
        photographs=photographs_of(
            {"id": "p", "path": str(folder / "p.jpg"), "box_of": "MegaDetector: animal 0.93"}
        ),
        deployments=pa.Table.from_pylist([{"id": "d", "site": "Creek"}], DEPLOYMENTS),
        left_out=pa.Table.from_pylist(
            [{"path": "cut.wav", "reason": "truncated", "detail": "cut.wav: it ends early"}], LEFT_OUT
        ),
        exemplars=pa.Table.from_pylist(
            [
                {
                    "id": "x1",
                    "modality": "audio",
                    "path": str(folder / "r.wav"),
                    "end_s": 5.0,
                    "license": "CC-BY-4.0",
                    "attribution": "B. Person",
                }
            ],
            EXEMPLARS,
        ),
        settings={"Model": "starter, revision 1"},
    )


@pytest.fixture(scope="module")
def page(content, tmp_path_factory) -> Parsed:
    written = write_identification_page(content, tmp_path_factory.mktemp("out") / "run")
    assert written.name == "report.html"
    return Parsed(written.read_text(encoding="utf-8"))


def test_nothing_is_loaded_from_elsewhere(page):
    for tag, given in page.tags:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            address = given.get(name)
            if address:
                assert address.startswith(("data:", "#")), (tag, address)
                if address.startswith("#"):
                    assert any(other.get("id") == address[1:] for _, other in page.tags), address
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy["content"].startswith("default-src 'none'")
    assert not page.all("iframe") + page.all("object")


def test_it_says_what_was_found_and_what_failed(page):
    for words in (
        "A score is no probability",
        "by the clocks of recorders and cameras, at UTC+01:00.",
        "Magpie Pica pica",
        "Score 0.90 Next: Corvus corax 0.25, margin 0.65",
        "Decided by labelled examples that are near.",
        "2026-05-03 05:00:00 UTC+01:00, Creek",
        "not expected here",
        "not shown: missing",
        "Box of MegaDetector: animal 0.93",
        "Engine 1 1 0.60",
        "1 truncated.",
        "cut.wav: it ends early",
        "starter, revision 1",
        "x1: B. Person. CC-BY-4.0",
    ):
        assert words in page.text, words


def test_what_states_no_licence_is_counted_once(page):
    assert page.text.count("no licence") == 1
    assert "Of the works on this page, 2 of 4 state no licence and 2 of 4 no maker." in page.text
    assert "not stated" not in page.text.replace("Neither maker nor licence stated: bat.wav; p.jpg", "")


def test_every_picture_says_what_it_shows(page):
    alts = [given.get("alt") for given in page.all("img")]
    assert all(alts)
    assert "Spectrogram of a piece of r.wav with Magpie, 5.0 seconds, up to 12 kilohertz" in alts
    assert "Spectrogram of a piece of bat.wav with Nyctalus noctula, 0.2 seconds, up to 125 kilohertz" in alts
    assert "Photograph p.jpg, named as Vulpes vulpes, with a box around what was named" in alts


def test_an_example_is_shown_once(page):
    assert len(page.all("figure", id="example-1")) == 1
    assert "x1 , shown above" in page.text
    assert "not shown: its file is not known here" in page.text


def sounds(page: Parsed) -> list[tuple[np.ndarray, int]]:
    return [
        soundfile.read(io.BytesIO(base64.b64decode(given["src"].partition(",")[2]))) for given in page.all("audio")
    ]


def test_the_pieces_that_play_are_those_of_the_events(page, content):
    lengths = sorted(round(len(samples) / rate, 1) for samples, rate in sounds(page))
    # The bat's 0.02 s with a second around it take ten times as long as in the file; the labelled example is 5 s long.
    assert lengths == [2.2, 5.0, 5.0, 5.0]
    assert "Played 10 times slower than it was recorded" in page.text


def test_frames_lie_on_the_event(page):
    best = [given["style"] for given in page.all("i") if given.get("class") == "best"]
    assert "left:20.0%;width:60.0%" in best  # 3 s after 1 s, of 5
    (box,) = [given["style"] for given in page.all("i") if given.get("style", "").startswith("left:25.0%;top")]
    assert box == "left:25.0%;top:10.0%;width:50.0%;height:80.0%"


def test_of_a_long_event_the_best_window_is_shown(content):
    long = events_of(event(0.0, end_s=20.0, best_start_s=12.0))
    card = EventViews(replace(content, annotations=long)).event(long.to_pylist()[0])
    assert card.sound.length_s == 8.0
    assert card.sound.best == (31.25, 37.5)  # 3 s in the middle of 8
    assert card.sound.event == (0.0, 100.0)


def test_what_was_slowed_for_the_model_is_slowed_for_people(content):
    row = events_of(event(1.0, end_s=1.3)).to_pylist()[0]
    card = EventViews(replace(content, expand=4.0, window_s=0.75)).event(row)
    assert (card.sound.slowed, round(card.sound.length_s, 2)) == (4.0, 0.8)


def test_where_a_person_is_heard_nothing_plays(content, tmp_path):
    quiet = replace(
        content, speech={"r": np.array([[2.0, 3.5]])}, drop_speech=True
    )  # in the second before the first event
    page = Parsed(write_identification_page(quiet, tmp_path).read_text(encoding="utf-8"))
    assert "1 event with a human voice in or beside them are not shown" in page.text
    assert "Score 0.90" not in page.text
    assert "4.0 to 7.0 s" not in page.text
    assert "10.0 to 13.0 s" in page.text


def test_names_of_strangers_are_text(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "p.png")
    row = {"common_name": HOSTILE, "label": HOSTILE, "site": HOSTILE, "runner_up": HOSTILE, "runner_up_score": 0.1}
    mine = bare(
        title=HOSTILE,
        annotations=events_of(
            event(0.0, HOSTILE, HOSTILE, nearest_audio=HOSTILE, begin_local=BEGIN, **row),
            {"media_id": "p", "modality": "image", "scientific_name": HOSTILE, "score": 0.5, **row},
            {"media_id": "p", "kind": "sound", "label": HOSTILE, "score": 0.5},
        ),
        recordings=recordings_of({"id": HOSTILE, "path": HOSTILE, "attribution": HOSTILE, "license": HOSTILE}),
        photographs=photographs_of(
            {"id": "p", "path": str(tmp_path / "p.png"), "box_of": HOSTILE, "attribution": HOSTILE}
        ),
        left_out=pa.Table.from_pylist([{"path": HOSTILE, "reason": HOSTILE, "detail": HOSTILE}], LEFT_OUT),
        settings={HOSTILE: HOSTILE},
    )
    page = Parsed(write_identification_page(mine, tmp_path / "out").read_text(encoding="utf-8"))
    assert len(page.all("script")) == 1
    assert all("onerror" not in given for _, given in page.tags)
    assert page.text.count("alert(1)") > 15


def test_no_detection_is_a_result(tmp_path):
    page = Parsed(write_identification_page(bare(), tmp_path).read_text(encoding="utf-8"))
    assert "No taxon reached the threshold. This is a result" in page.text
    assert not page.all("audio")


def test_the_page_of_a_large_run_stays_small(tmp_path):
    events = events_of(
        *(event(float(number % 7), f"Genus species{number // 10}", "gone") for number in range(10_000))
    )
    many = bare(
        annotations=events,
        recordings=recordings_of({"id": "gone", "path": str(tmp_path / "gone.wav")}),
        left_out=pa.Table.from_pylist(
            [{"path": f"{n}.wav", "reason": "missing", "detail": "gone"} for n in range(999)], LEFT_OUT
        ),
    )
    written = write_identification_page(many, tmp_path)
    page = Parsed(written.read_text(encoding="utf-8"))
    assert written.stat().st_size < 400_000
    assert "700 further taxa with fewer events" in page.text
    assert "Shown are the 30 most frequent of 1,000 taxa" in page.text
    assert "The first 200" in page.text
    assert len(page.all("article")) == 30


def test_media_that_would_make_the_page_too_large_are_counted(content):
    views = EventViews(content, room=1)
    rows = content.annotations.to_pylist()
    assert views.event(rows[0]).sound is not None
    assert views.event(rows[1]).fault == "the page would grow too large"
    assert views.photograph(rows[4]).fault == "the page would grow too large"
    assert views.unseen >= 2


@pytest.mark.slow
def test_a_page_of_real_recordings(shared_data: Path, tmp_path):
    survey = shared_data / "annotated/monitor-survey/survey.flac"
    info = soundfile.info(survey)
    real = bare(
        annotations=events_of(event(3.0, "Seiurus aurocapilla", "s", common_name="Ovenbird")),
        recordings=recordings_of(
            {"id": "s", "path": str(survey), "duration_s": info.duration, "license": "GPL-2"}
        ),
    )
    page = Parsed(write_identification_page(real, tmp_path).read_text(encoding="utf-8"))
    ((samples, rate),) = sounds(page)
    cut, _ = soundfile.read(survey, start=round(2.0 * info.samplerate), frames=round(5.0 * info.samplerate))
    energy = [
        np.add.reduceat(x**2, np.linspace(0, len(x), 50, endpoint=False).astype(int))
        for x in (samples[: 5 * rate], cut)
    ]
    assert np.corrcoef(*energy)[0, 1] > 0.95
