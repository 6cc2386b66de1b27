"""Photograph the pages that biovita makes, and say what is wrong with how they are laid out.

    python scripts/photograph_pages.py [PAGE ...] [--work DIRECTORY] [--out DIRECTORY]

Without pages, each kind is made in DIRECTORY by the commands that users run, on a simulated fauna: minutes, and what is
there already is used again. Every page is laid out 390 and 1200 pixels wide, in light and in dark colours. The pictures
of its first screens go into ``docs/images/pages``. Ends with 1 where something is cut off, or too wide, or unreadable.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

import biovita
from biovita.demo import demo
from biovita.publish.dataset_card import write_papers

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.browser import Browser, find_browser, open_browser  # noqa: E402 - tests/ is no package that is installed
from support.card_pages import card_as_page  # noqa: E402
from support.page_faults import SETTINGS, page_faults, unfold  # noqa: E402

OUT = ROOT / "docs/images/pages"
_TALLEST = {390: 1600, 1200: 1500}  # pixels of a picture, by its width
_QUALITY = 50


def main() -> int:
    """Photograph, print what is wrong, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path, nargs="*", metavar="PAGE")
    parser.add_argument("--work", type=Path, metavar="DIRECTORY")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIRECTORY")
    asked = parser.parse_args()
    program = find_browser()
    if program is None:
        print("no Chromium was found on this machine: apt-get install chromium", file=sys.stderr)
        return 2
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, open_browser(program) as browser:
        pages = {page.stem: page for page in asked.pages} or make_pages(asked.work or Path(scratch))
        wrong = [fault for name, page in pages.items() for fault in photograph(browser, name, page, asked.out)]
    print(*wrong, sep="\n")
    print(f"{len(pages)} pages, {len(wrong)} faults; pictures: {asked.out}")
    return int(bool(wrong))


def photograph(browser: Browser, name: str, page: Path, out: Path) -> list[str]:
    """Write a picture of a page in each setting, and return what is wrong with the page in it."""
    tab = browser.open(page)
    wrong = []
    for width, scheme in SETTINGS:
        tab.show(width, scheme)
        with Image.open(io.BytesIO(tab.photograph(at_most=_TALLEST[width]))) as picture:
            picture.convert("RGB").save(out / f"{name}-{width}-{scheme}.webp", quality=_QUALITY, method=6)
    unfold(tab)
    for width, scheme in SETTINGS:
        wrong += [f"{name}, {width} px, {scheme}: {fault}" for fault in page_faults(tab, width, scheme)]
    tab.close()
    return wrong


def make_pages(work: Path) -> dict[str, Path]:
    """Make a page of each kind below a directory, and return them by name; what is there already stays."""
    work.mkdir(parents=True, exist_ok=True)
    pages = {
        "demo": work / "demo/report.html",
        "run": work / "runs/random/report.html",
        "compare": work / "compared/compare.html",
        "training": work / "trained/report.html",
        "identify": work / "identified/report.html",
        "detection": work / "detected/detection.html",
        "calibration": work / "calibrated/calibration.html",
        "card": work / "fauna/card.html",
        "site": work / "site/index.html",
        "site-shell": work / "site/reference/shell.html",
    }
    makers: dict[Path, Callable[[Path], object]] = {
        work / "fauna/dataset.toml": _simulate,
        pages["demo"]: lambda work: demo(work / "fauna", work / "demo"),
        pages["run"]: lambda work: _score(work, "random:64", "random"),
        work / "runs/demo/report.html": lambda work: _score(work, work / "demo/model", "demo"),
        pages["compare"]: lambda work: biovita.compare_runs(
            work / "runs/random", work / "runs/demo", out=work / "compared"
        ),
        pages["training"]: lambda work: biovita.train(
            "starter/stage1", data=work / "fauna", out=work / "trained", settings={"steps": 40}
        ),
        work / "soundscape/soundscape.json": _sound,
        pages["identify"]: lambda work: biovita.identify(
            [work / "soundscape"], gallery=[work / "fauna"], out=work / "identified", report=True
        ),
        pages["detection"]: _detect,
        pages["calibration"]: _calibrate,
        pages["card"]: _card,
        pages["site"]: _build_site,
    }
    for made, make in makers.items():
        if not made.exists():
            make(work)
    return pages


def _simulate(work: Path) -> None:
    made = biovita.simulate(out=work / "fauna", species=30, recordings=4, photographs=5, workers=1)
    biovita.split_dataset(made, unseen=7)


def _score(work: Path, model: str | Path, name: str) -> None:
    biovita.run_benchmark(work / "fauna", model=model, out=work / "runs" / name, name=name)


def _sound(work: Path) -> None:
    """Make three minutes in which a third of the species call over wind."""
    wind = np.cumsum(np.random.default_rng(0).normal(size=60 * 32_000))
    wind -= np.convolve(wind, np.ones(3200) / 3200, "same")
    (work / "wind").mkdir(exist_ok=True)
    soundfile.write(work / "wind/wind.wav", 0.05 * wind / np.abs(wind).max(), 32_000)
    places = {"backgrounds": work / "wind", "out": work / "soundscape"}
    biovita.simulate_soundscape(
        work / "fauna", **places, hours=0.05, file_minutes=0.5, events=40, species=10, any_background=True
    )


def _detect(work: Path) -> None:
    truth = {"annotations": [work / "soundscape/truth.parquet"], "format": "parquet"}
    biovita.score_detection(work / "soundscape", **truth, run=work / "identified", out=work / "detected")


def _calibrate(work: Path) -> None:
    truth = {"annotations": sorted((work / "soundscape").glob("*.txt")), "annotation_format": "raven"}
    biovita.calibrate_run(run=work / "identified", **truth, out=work / "calibrated")


def _card(work: Path) -> None:
    dataset = biovita.Dataset.open(work / "fauna")
    write_papers(dataset, dataset.path)
    card_as_page(dataset.path)


def _build_site(work: Path) -> None:
    subprocess.run([sys.executable, "-m", "sphinx", "--quiet", ROOT / "docs", work / "site"], check=True)


if __name__ == "__main__":
    sys.exit(main())
