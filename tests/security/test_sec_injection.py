"""What people open: spreadsheets, pages and cards of a dataset whose every text wants to be more than text."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import tomllib
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from biovita.benchmark.reader import read_benchmark
from biovita.dataset import Dataset
from biovita.modality import Modality
from biovita.sources.release import Release
from biovita.taxonomy.name_lists import read_names
from support.hostile import run_many
from support.injected import FORMULAS, MARKUP, write_injected

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)


def runs(cell: str) -> bool:
    """Return whether a spreadsheet may take a cell for a formula."""
    begins = cell.lstrip().lstrip("\u200b\ufeff")[:1]
    return not NUMBER.fullmatch(cell) and (begins in tuple("=+-@＝＋－＠") or cell[:1] in tuple("\t\r\n"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which each command that writes tables, pages or cards has run."""
    out = tmp_path_factory.mktemp("injected")
    write_injected(out / "data")
    names = io.StringIO(newline="")
    csv.writer(names).writerows(
        [["name", "class"], *([f"{f} {m}", f] for f, m in zip(FORMULAS, MARKUP, strict=True))]
    )
    (out / "names.csv").write_text(names.getvalue(), encoding="utf-8", newline="")
    (out / "taxa.csv").write_text("taxonID,scientificName,taxonRank\n1,Astur gentilis,species\n")
    commands = [
        "data card data",
        "data export release data --out release",
        "data export hub data --out hub",
        "bench build data --out bench --layout published",
        f"bench run bench --model random:8 --out =first --name ={MARKUP[4].replace(' ', '_')}",
        f"bench run bench --model random:4 --out @second --name {MARKUP[0]}",
        "bench compare =first @second --out compared",
        "taxonomy match names.csv --backbone taxa.csv --out decisions.csv",
    ]
    run_many(out, [command.split() for command in commands], code=0)
    return out


def tables_of(made: Path) -> dict[str, str]:
    """Return the tables by name: files, and those that a page offers."""
    found = {
        str(path.relative_to(made)): path.read_bytes().decode("utf-8")
        for path in sorted(made.rglob("*.csv"))
        if path.name not in {"names.csv", "taxa.csv"}
    }
    for page in made.rglob("report.html"):
        for name, data in re.findall(
            r'download="([^"]+\.csv)" href="data:text/csv;base64,([^"]+)"', page.read_text()
        ):
            found[f"{page.parent.name}/report.html/{name}"] = base64.b64decode(data).decode("utf-8")
    return found


@pytest.mark.slow
def test_no_cell_of_a_table_is_a_formula(made: Path) -> None:
    tables = tables_of(made)
    assert {name.rsplit("/", 1)[-1] for name in tables} >= {
        *("ATTRIBUTION.csv", "metadata.csv", "image_urls.csv", "decisions.csv", "scores.csv", "compare.csv"),
        *("audio_index.csv", "image_index.csv", "text_index.csv", "test_audio_to_image.csv", "ranks.csv"),
    }
    for name, text in tables.items():
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert len({len(row) for row in rows}) == 1, f"{name}: a cell begins a row"
        for row in rows:
            for cell in row:
                assert not runs(cell), (name, cell)


@pytest.mark.slow
def test_what_was_written_is_what_is_read(made: Path) -> None:
    dataset = Dataset.open(made / "data")
    train = {
        taxon.scientific_name: taxon.common_name
        for taxon in dataset.taxonomy.values()
        if taxon.id
        in dataset.audio.filter(dataset.audio["split"].to_numpy(zero_copy_only=False) == "train")[
            "taxon_id"
        ].to_pylist()
    }
    items = [item for item in Release(path=made / "release").items() if isinstance(item, Mapping)]
    read = {item["name"]: item["vernacular"] for item in items if item["modality"] == "audio"}
    assert read == {name.strip(): (common or "").strip() for name, common in train.items()}
    species = {taxon.scientific_name for taxon in dataset.taxonomy.values()}
    benchmark = read_benchmark(made / "bench")
    assert set(benchmark.items[Modality.AUDIO]["species"].to_pylist()) == species
    paths = set(dataset.audio["path"].to_pylist())
    assert {Path(path).name for path in benchmark.items[Modality.AUDIO]["path"].to_pylist()} <= paths
    run_many(made, [["bench", "verify", "bench"]], code=0)
    given, decided = (read_names(made / name).names["name"].to_pylist() for name in ("names.csv", "decisions.csv"))
    assert given == decided


class Page(HTMLParser):
    """Holds the elements of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.scripts and self.cdata_elem == "script":
            self.scripts[-1] += data
        else:
            self.words += data


LEADS_NOWHERE = re.compile(r"#[a-z]+|data:(image|audio|text|application)/[a-z]+;base64,[\w+/=]*|data:,")
ELEMENTS, ATTRIBUTES = (
    set(re.findall(r"[\w-]+", text))
    for text in (
        """html head meta link style title body a header p h1 h2 h3 nav main section div dl dt dd strong span table
        caption thead tbody tfoot tr th td b i em aside input label details summary abbr figure figcaption svg polygon
        line text article ol ul li img audio small code br footer script path""",
        """lang charset name content http-equiv rel href class id aria-labelledby aria-label aria-hidden style scope
        title type checked for tabindex role download colspan viewbox points x x1 x2 y y1 y2 text-anchor src alt loading
        controls preload d""",
    )
)


@pytest.mark.parametrize("place", ["=first/report.html", "@second/report.html", "compared/compare.html"])
def test_nothing_of_a_page_but_its_words_comes_from_data(made: Path, place: str) -> None:
    page = Page((made / place).read_text(encoding="utf-8"))
    assert {tag for tag, _ in page.elements} <= ELEMENTS
    assert {name for _, attrs in page.elements for name in attrs} <= ATTRIBUTES
    for tag, attrs in page.elements:
        for name in ("href", "src"):
            if name in attrs:
                assert re.match(
                    r"#[a-z]+$|data:(image|audio|text|application)/[a-z]+;base64,[\w+/=]*$|data:,$", attrs[name]
                )
        assert tag != "svg" or set(attrs) <= {"viewbox", "role", "aria-labelledby", "aria-label"}
        assert "boo" not in attrs.get("style", "")
    policies = [attrs["content"] for _, attrs in page.elements if "http-equiv" in attrs]
    assert len(policies) == 1, "the page says what a browser may do with it"
    allowed = dict(part.split(" ", 1) for part in policies[0].split("; "))
    assert allowed["default-src"] == "'none'"
    digests = {
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in page.scripts
    }
    assert digests <= {allowed["script-src"]}, "the page's own script, and no other, runs"
    if place != "compared/compare.html":
        assert len(page.scripts) == 1
        assert MARKUP[0] in page.words, "shown as it is"


def test_a_card_is_text_whatever_the_dataset_is_called(made: Path) -> None:
    name = Dataset.open(made / "data").info["name"]
    for place in ("data", "hub"):
        card = (made / place / "README.md").read_text(encoding="utf-8")
        _, front, body = re.split(r"^---\n", card, maxsplit=2, flags=re.MULTILINE)
        settings = yaml.safe_load(front)
        assert set(settings) <= {"pretty_name", "configs"}
        assert settings.get("pretty_name", name) == name
        tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(body)
        inline = [child for token in tokens for child in token.children or ()]
        kinds = {token.type for token in (*tokens, *inline)}
        assert not kinds & {
            "html_block",
            "html_inline",
            "link_open",
            "strong_open",
            "em_open",
            "s_open",
            "blockquote_open",
        }
        assert {child.attrs["src"] for child in inline if child.type == "image"} <= {
            "card/species.svg",
            "card/places.svg",
        }
        headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
        assert len(headings) == 6
        assert headings[1:] == ["What it holds", "Licences", "Left out", "Split", "How it was made"]
        fence = [token.content for token in tokens if token.type == "fence"]
        plan = Dataset.open(made / "data").info["made"]["plan"]
        assert [tomllib.loads(text) for text in fence] == [tomllib.loads(plan)]
        outside = body.replace(fence[0], "")
        assert not re.search(r"(?<![\w\\])(https?://|www\.)", outside), "GitHub makes links of bare addresses"
        widths = {line.count("|") - line.count("\\|") for line in outside.splitlines() if line.startswith("| ")}
        assert widths == {4, 5}
    croissant = json.loads((made / "data" / "croissant.json").read_text(encoding="utf-8"))
    assert croissant["name"] == name


def test_every_text_has_one_safe_form() -> None:
    from biovita.csv_safe import plain_cell, safe_cell

    starts = ["", "'", "''", " ", "\t", "\r", "\u3000", "\u200b", "\xa0", "\x00"]
    texts = [
        f"{a}{b}{c}"
        for a in starts
        for b in ("", "=", "+", "-", "@", "＝", "x", "3", "-3", "+1e5", "-.5", "--3", "-3-2")
        for c in ("", "1", "x", "'", "=")
    ]
    forms = {text: str(safe_cell(text)) for text in texts}
    for text, form in forms.items():
        assert plain_cell(form) == text
        assert not runs(form)
    assert len(set(forms.values())) == len(set(texts))
    assert [safe_cell(value) for value in (-3, 2.5, None, "-3.5", "+1e5")] == [-3, 2.5, None, "-3.5", "+1e5"]
