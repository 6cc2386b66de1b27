"""From a Darwin Core archive and an R export to a dataset with traits and a card, and the same commands once more."""

from __future__ import annotations

import json
import os
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import biovita
from biovita.hashing import sha256_of
from support.collected_media import picture, sound
from support.forked import finish, start
from support.media_servers import MediaServer, Resource, media_server

SPECIES = {
    "Parus major": ("gretit1", "Great Tit", "Passeriformes", "Paridae"),
    "Turdus merula": ("eurbla", "Eurasian Blackbird", "Passeriformes", "Turdidae"),
    "Strix aluco": ("tawowl1", "Tawny Owl", "Strigiformes", "Strigidae"),
}
DWC, DC = "http://rs.tdwg.org/dwc/terms/", "http://purl.org/dc/terms/"
OCCURRENCE = ("gbifID", "occurrenceID", "scientificName", "taxonRank", "class", "eventDate", "recordedBy")
MULTIMEDIA = ("gbifID", "type", "format", "identifier", "creator", "license")
WARBLER = (
    *("Recording_ID", "Genus", "Specific_epithet", "Subspecies", "English_name", "Recordist", "Country", "Locality"),
    *("Latitude", "Longitude", "Vocalization_type", "Audio_file", "License", "Url", "Quality", "Time"),
    *("Date", "Length"),
)  # fmt: skip
BY = "http://creativecommons.org/licenses/by/4.0/legalcode"
PLAN = """name = "birds"
version = "1"
licenses = ["CC0-1.0", "CC-BY", "CC-BY-NC-SA"]

[[sources]]
kind = "darwin_core"
path = "gbif.zip"

[[sources]]
kind = "xeno_canto"
path = "warbler.csv"

[taxa]
clades = ["Aves"]
backbone = "backbone.parquet"

[traits]
csv = "traits.csv"

[fetching]
allow_private = true
per_second = 10000.0
"""


class Field:
    """What a person has: two downloads, a list of birds, a table of traits and a plan, in one folder."""

    def __init__(self, folder: Path, server: MediaServer) -> None:
        self.folder, self.server = folder, server
        self.occurrences = [self.occurrence(number, list(SPECIES)[number % 3]) for number in range(6)]
        self.recordings = [self.recording(number, name) for number, name in enumerate(SPECIES)]
        birds = "".join(f"{name},{','.join(said)} (a family)\n" for name, said in SPECIES.items())
        (folder / "list.csv").write_text("SCI_NAME,SPECIES_CODE,PRIMARY_COM_NAME,ORDER,FAMILY\n" + birds)
        traits = "".join(
            f'"{name}";"{label}";1\n'
            for name, label in (("Parus major", "insectivore"), ("Strix aluco", "nocturnal"))
        )
        (folder / "traits.csv").write_text('"name";"label";"value"\n' + traits)
        (folder / "birds.toml").write_text(PLAN)

    def serve(self, name: str, content: bytes) -> str:
        self.server.resources[name] = Resource(content)
        return self.server.url(name)

    def occurrence(self, number: int, name: str) -> tuple[dict[str, str], list[dict[str, str]]]:
        own = {"gbifID": str(number), "occurrenceID": f"o{number}", "scientificName": f"{name} Linnaeus, 1758"}
        own |= {
            "taxonRank": "SPECIES",
            "class": "Aves",
            "eventDate": f"2020-05-0{number + 1}",
            "recordedBy": f"A{number}",
        }
        media = [
            ("StillImage", "image/jpeg", f"/{number}.jpg", picture(number)),
            ("Sound", "audio/wav", f"/{number}.wav", sound(number)),
        ]
        said = {"gbifID": str(number), "creator": f"A{number}", "license": BY}
        return own, [
            said | {"type": type_, "format": kind, "identifier": self.serve(at, content)}
            for type_, kind, at, content in media
        ]

    def recording(self, number: int, name: str) -> list[str]:
        genus, epithet = name.split()
        cells = dict.fromkeys(WARBLER, "") | {
            "Recording_ID": str(900 + number),
            "Genus": genus,
            "Specific_epithet": epithet,
        }
        cells |= {
            "English_name": SPECIES[name][1],
            "Recordist": "Bob",
            "Country": "Norway",
            "Quality": "A",
            "Time": "06:10",
        }
        cells |= {
            "License": "//creativecommons.org/licenses/by-nc-sa/4.0/",
            "Date": "2021-05-01",
            "Length": "0:01",
        }
        cells |= {
            "Audio_file": self.serve(f"/x{number}.wav", sound(100 + number)),
            "Url": f"//xeno-canto.org/{900 + number}",
        }
        quoted = {column: f'"{value}"' for column, value in cells.items()}
        return list(
            (quoted | {"Latitude": f"{59 + number},5", "Longitude": "10,75"}).values()
        )  # as write.csv2 does

    def write(self) -> None:
        """Write both downloads as they are now."""

        def file(kind: str, row: str, location: str, id_: str, columns: tuple[str, ...], base: str) -> str:
            fields = "".join(f'<field index="{at}" term="{base}{name}"/>' for at, name in enumerate(columns) if at)
            return (
                f'<{kind} rowType="{row}" encoding="UTF-8" fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" '
                f'fieldsEnclosedBy="" ignoreHeaderLines="1"><files><location>{location}</location></files>'
                f'<{id_} index="0"/>{fields}</{kind}>'
            )

        core = file("core", f"{DWC}Occurrence", "occurrence.txt", "id", OCCURRENCE, DWC)
        media = file(
            "extension", "http://rs.gbif.org/terms/1.0/Multimedia", "multimedia.txt", "coreid", MULTIMEDIA, DC
        )
        rows = {
            "occurrence.txt": [OCCURRENCE, *([own[name] for name in OCCURRENCE] for own, _ in self.occurrences)],
            "multimedia.txt": [
                MULTIMEDIA,
                *([each[name] for name in MULTIMEDIA] for _, of in self.occurrences for each in of),
            ],
        }
        with zipfile.ZipFile(self.folder / "gbif.zip", "w") as archive:
            archive.writestr("meta.xml", f'<archive xmlns="http://rs.tdwg.org/dwc/text/">{core}{media}</archive>')
            for name, table in rows.items():
                archive.writestr(name, "".join("\t".join(row) + "\n" for row in table))
        header = ";".join(f'"{column}"' for column in WARBLER)
        lines = [header, *(";".join(cells) for cells in self.recordings)]
        (self.folder / "warbler.csv").write_text("".join(f"{line}\n" for line in lines))


def run(root: Path, *command: str | Path) -> dict[str, Any]:
    """Return what a command prints as JSON; it runs in a new process, and in a folder where nothing of ours is."""
    here = root / f"step {len(list(root.iterdir()))}"
    here.mkdir()
    said, printed = (root / f"{here.name}{suffix}" for suffix in (".said", ".json"))
    process = start([*command, "--json"], said, first=partial(os.chdir, here), printed=printed)
    assert finish(process, 200) == 0, said.read_text(encoding="utf-8")
    assert not list(here.iterdir())
    found: dict[str, Any] = json.loads(printed.read_text(encoding="utf-8"))
    return found


def build(root: Path, field: Field) -> dict[str, Any]:
    """Run the command that makes the dataset, and later updates it, and return its report."""
    report = run(root, "data", "build", field.folder / "birds.toml", "--out", field.folder / "birds")
    assert (report["unfinished"], report["rejected"], report["left_out"]) == (0, {}, {})
    return report


def card_of(field: Field) -> str:
    return (field.folder / "birds" / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_an_archive_and_an_r_export_become_a_dataset_that_is_updated_once(tmp_path: Path) -> None:
    folder, steps = tmp_path / "field work", tmp_path / "elsewhere"
    folder.mkdir(), steps.mkdir()
    with media_server() as server:
        field = Field(folder, server)
        field.write()
        made = run(steps, "taxonomy", "backbone", folder / "list.csv", "--out", folder / "backbone.parquet")
        assert (made["ranks"]["species"], made["common_names"]) == (3, 3)
        planned = run(steps, "data", "plan", folder / "birds.toml")
        assert sum(row["items"] for row in planned["given"]) == 15
        assert planned["left_out"] == []
        first = build(steps, field)
        assert (first["species"], first["audio"], first["images"], first["fetched"]) == (3, 9, 6, 15)
        assert first["changes"] is None
        assert first["traits"]["csv"]["matched"] == 2
        assert "# birds 1" in card_of(field)
        assert "9 clips and 6 photographs of 3 species, with their taxonomy and 2 trait labels" in card_of(field)
        card = card_of(field)
        run(steps, "data", "card", folder / "birds")
        assert card_of(field) == card
        before = {path: sha256_of(path) for path in (folder / "birds" / "media").rglob("*") if path.is_file()}

        field.occurrences[0][0]["scientificName"] = "Turdus merula Linnaeus, 1758"  # it was looked at again
        field.occurrences.append(field.occurrence(7, "Strix aluco"))
        field.recordings.append(field.recording(3, "Parus major"))
        field.write()
        server.asked.clear()
        second = build(steps, field)
        assert set(server.asked) == {"/7.jpg", "/7.wav", "/x3.wav"}
        assert (second["species"], second["audio"], second["images"], second["fetched"]) == (3, 11, 7, 3)
        assert run(steps, "data", "check", folder / "birds") == []
        told = {name: second["changes"][name] for name in ("new", "gone", "changed", "kept", "version")}
        assert told == {"new": 3, "gone": 0, "changed": 2, "kept": 13, "version": "1"}
        assert "11 clips and 7 photographs of 3 species, with their taxonomy and 2 trait labels" in card_of(field)
        assert all(sha256_of(path) == known for path, known in before.items() if path.exists())

        (folder / "birds.toml").write_text(PLAN.replace('version = "1"', 'version = "2"'))
        third = build(steps, field)
        assert (third["fetched"], third["changes"]["kept"], third["changes"]["changed"]) == (0, 18, 0)
        assert "# birds 2" in card_of(field)
    opened = biovita.Dataset.open(folder / "birds")
    assert {taxon.scientific_name: taxon.common_name for taxon in opened.taxonomy.values()} == {
        name: said[1] for name, said in SPECIES.items()
    }
    places = {row["source_id"]: row["latitude"] for row in opened.audio.to_pylist() if row["latitude"] is not None}
    assert sorted(places.values()) == [59.5, 60.5, 61.5, 62.5]
