"""Small sound files of each kind that a target reads, from which fuzzing begins."""

from __future__ import annotations

import io
import json
import pickle
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fuzz.targets import joined
from support.raw_pictures import dng, tiff
from support.recorder_files import wamd, write_recorder_wav
from support.sound_files import KINDS, song, write_sound

__all__ = ["seeds_of"]

META = b"""<archive xmlns="http://rs.tdwg.org/dwc/text/">
<core encoding="UTF-8" fieldsTerminatedBy="," linesTerminatedBy="\\n" fieldsEnclosedBy='"' ignoreHeaderLines="1"
 rowType="http://rs.tdwg.org/dwc/terms/Occurrence"><files><location>o.csv</location></files><id index="0"/>
<field index="1" term="http://rs.tdwg.org/dwc/terms/scientificName"/>
<field index="2" term="http://rs.tdwg.org/dwc/terms/associatedMedia"/>
<field index="3" term="http://rs.tdwg.org/dwc/terms/eventDate"/>
<field default="Aves" term="http://rs.tdwg.org/dwc/terms/class"/></core>
<extension encoding="UTF-8" fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" fieldsEnclosedBy="" ignoreHeaderLines="1"
 rowType="http://rs.gbif.org/terms/1.0/Multimedia"><files><location>m.txt</location></files><coreid index="0"/>
<field index="1" term="http://purl.org/dc/terms/type"/><field index="2" term="http://purl.org/dc/terms/identifier"/>
<field index="3" term="http://purl.org/dc/terms/license"/></extension></archive>"""
CORE = """id,name,media,date
1,"Parus major Linnaeus, 1758",https://x.org/1.jpg | https://x.org/2.mp3,2020-05-01
2,Pica pica,,2021-06-02/2021-06-05
3,Rana temporaria,,
"""
MEDIA = """id\ttype\tidentifier\tlicense
2\tSound\thttps://x.org/3.wav\thttp://creativecommons.org/licenses/by-nc/4.0/
2\tStillImage\thttps://x.org/4.png\tCC0
9\tSound\thttps://x.org/5.wav\tCC BY
"""
PLAN = """name = "birds"
licenses = ["CC0-1.0", "CC-BY"]
seed = 3
[taxa]
species = ["Parus major", "Pica pica"]
clades = ["Aves"]
[places]
boxes = [[47.0, 5.5, 55.1, 15.1]]
countries = ["DE"]
[dates]
first = 2015-01-01
last = 2020-12-31
[limits]
audio_per_species = 20
[budget]
bytes = 1000000000
[clips]
seconds = 5.0
[[sources]]
kind = "xeno_canto"
path = "xc.json"
[[sources]]
kind = "inaturalist_api"
path = "~/answers"
size = "medium"
"""


def _sounds(folder: Path) -> list[bytes]:
    found = [write_sound(folder / f"a.{kind}", song(0.4, 16_000), 16_000, kind) for kind in KINDS]
    found.append(write_sound(folder / "two.wav", song(0.2, 8_000, 2), 8_000))
    mono = song(0.2, 8_000)[:, 0]
    guano = "GUANO|Version: 1.0\nTimestamp: 2020-05-01T22:00:00\nLoc Position: 50.1 8.2\n"
    notes = wamd({1: "SM4BAT", 5: "2020-05-01 22:00:00", 6: "WGS84,50.1,8.2"})
    found.append(write_recorder_wav(folder / "guano.wav", mono, 8_000, guano=guano, icmt="Recorded at 22:00:00"))
    found.append(write_recorder_wav(folder / "wamd.wav", mono, 8_000, wamd=notes, first=True))
    found.append(write_recorder_wav(folder / "wide.wav", mono, 8_000, rf64=True))
    return [path.read_bytes() for path in found]


def _photographs(folder: Path) -> list[bytes]:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8)
    exif = Image.Exif()
    exif.update({271: "ACME", 274: 6, 306: "2020:05:01 10:00:00"})
    found = []
    for kind, mode in (
        *(("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "RGB"), ("PNG", "P"), ("PNG", "LA"), ("PNG", "I;16")),
        *(("WEBP", "RGB"), ("WEBP", "RGBA"), ("TIFF", "RGB"), ("TIFF", "F"), ("GIF", "P"), ("BMP", "RGB")),
    ):
        picture = Image.fromarray(pixels)
        picture = picture.convert("I").convert(mode) if mode == "I;16" else picture.convert(mode)
        file = io.BytesIO()
        picture.save(file, kind, **({"exif": exif} if kind in {"JPEG", "WEBP"} else {}))
        found.append(file.getvalue())
    return [*found, dng(np.full((32, 48, 3), 20_000, np.uint16)), tiff(pixels, pixels[:6])]


FOLDER = """file,scientific_name,license,recorded_at,latitude,longitude,begin_s,end_s
a.wav,Parus major,CC BY 4.0,2020-05-01,50.5,8.5,0,1
b.wav,"Pica, pica",,23.04.2021,"52,5",,1,2.5
"""
SEMICOLONS = """sep=;
file;scientific name;url
a.wav;Pica pica;https://x.org/1.wav
;;
b.wav;Rana;https://x.org/2.wav
"""
EXPORT = """id,observed_on,license,image_url,sound_url,latitude,longitude,scientific_name
7,2019-08-13,CC-BY-NC,https://inaturalist-open-data.s3.amazonaws.com/photos/4/medium.jpeg?1,,41.6,-93.7,"Pica pica"
"""
WARBLER = """"Recording_ID","Genus","Specific_epithet","English_name","Country","Latitude","License","Url","Length"
3,"Pica","pica","Magpie","Spain",37.1,"//creativecommons.org/licenses/by-nc-sa/4.0/","//xeno-canto.org/3","14:31"
"""
LIST = """name\tclass
Parus major\tAves

Pica pica\t
"""


def _tables(folder: Path) -> list[bytes]:
    texts = [text.encode() for text in (FOLDER, SEMICOLONS, EXPORT, WARBLER, LIST)]
    return [*texts, FOLDER.encode("utf-16"), _workbook(folder)]


def _workbook(folder: Path) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    for row in (
        ("file", "scientific_name", "recorded_at"),
        ("a.wav", "Pica pica", "2020-05-01"),
        ("b.wav", 7, None),
    ):
        book.active.append(row)
    book.save(folder / "a.xlsx")
    return (folder / "a.xlsx").read_bytes()


def _archives(folder: Path) -> list[bytes]:
    parts = {"meta.xml": META, "o.csv": CORE.encode(), "m.txt": MEDIA.encode()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return [joined(parts), packed.getvalue()]


def _observations(folder: Path) -> list[bytes]:
    photo = {"id": 4, "url": "https://inaturalist-open-data.s3.amazonaws.com/photos/4/square.jpg"}
    photo |= {"license_code": "cc-by", "attribution": "(c) Ann", "original_dimensions": {"width": 9, "height": 7}}
    sound = {"id": 5, "file_url": "https://static.inaturalist.org/sounds/5.wav", "license_code": "cc0"}
    taxon = {"id": 9, "name": "Pica pica", "rank": "species", "preferred_common_name": "Magpie", "ancestry": "1/2"}
    seen = {
        "id": 1,
        "quality_grade": "research",
        "observed_on": "2020-05-01",
        "location": "50.1,8.2",
        "taxon": taxon,
    }
    seen |= {
        "photos": [photo],
        "sounds": [sound],
        "user": {"login": "ann"},
        "time_observed_at": "2020-05-01T07:00Z",
    }
    return [json.dumps({"total_results": 1, "page": 1, "per_page": 30, "results": [seen]}).encode()]


def _recordings(folder: Path) -> list[bytes]:
    sound = {"id": "2", "gen": "Pica", "sp": "pica", "ssp": "", "grp": "birds", "en": "Magpie", "rec": "Ann"}
    sound |= {"cnt": "Norway", "lat": "60.5", "lon": "5.5", "alt": "20", "url": "//xeno-canto.org/2", "q": "A"}
    sound |= {"file": "https://xeno-canto.org/2/download", "lic": "//creativecommons.org/licenses/by-nc-sa/4.0/"}
    sound |= {
        "length": "0:10",
        "time": "07:00",
        "date": "2020-05-01",
        "also": ["Parus major"],
        "sono": {"med": ""},
    }
    return [json.dumps({"numRecordings": "1", "page": 1, "numPages": 1, "recordings": [sound]}).encode()]


NAMES = """Parus major Linnaeus, 1758
PARUS MAJOR
Parus  major ssp. minor
Larus sp.
Parus cf. major
Anas platyrhynchos x Anas crecca
Anas × crecca
Pica pica/Parus major
Pica pica and Rana arvalis
Rana (Rana) temporaria var. alba (L.) Müller & Ånd, 1771
Chainsaw noise
P. major
Pa\u200brus ma\u00adjor
Parus major group
Picidae sp.1
BOLD:AAA1234
[Pica pica]
'Pica' ?pica
Pica pica in flight"""
LICENCES = """CC BY-NC-SA 4.0
CC0
CC-BY-NonCommercial
http://creativecommons.org/licenses/by-nc-nd/3.0/de/
Attribution-NonCommercial-NoDerivs 2.5
Namensnennung - Nicht-kommerziell 3.0
© all rights reserved
public domain
CC BY-SA 3.0 or CC BY-NC 4.0
<a rel="license" href="https://creativecommons.org/publicdomain/zero/1.0/">CC0</a>"""


def _in_threes(text: str) -> list[bytes]:
    lines = text.split("\n")
    return ["\n".join(lines[at : at + 3]).encode() for at in range(0, len(lines), 3)]


def _names(folder: Path) -> list[bytes]:
    return _in_threes(NAMES)


def _licences(folder: Path) -> list[bytes]:
    return _in_threes(LICENCES)


def _plans(folder: Path) -> list[bytes]:
    return [PLAN.encode(), b'name = "x"\n[[sources]]\nkind = "folder"\npath = "here"\n']


def _checkpoints(folder: Path) -> list[bytes]:
    import torch
    from safetensors.torch import save

    state = {"a.weight": torch.arange(6.0).reshape(2, 3), "module.b": torch.ones(3, dtype=torch.float16)}
    zipped, legacy = io.BytesIO(), io.BytesIO()
    torch.save({"state_dict": state, "epoch": 3}, zipped)
    torch.save(state, legacy, _use_new_zipfile_serialization=False)
    return [save(state), zipped.getvalue(), legacy.getvalue(), pickle.dumps({"a": [1.0]}, 2)]


def _benchmarks(folder: Path) -> list[bytes]:
    from biovita.benchmark import benchmark_from_split
    from biovita.benchmark.layout import write_benchmark
    from biovita.dataset import split_dataset
    from support.bench_cases import write_small

    dataset = write_small(folder / "d", taxa=4, per_species=1)
    split_dataset(dataset, unseen=2, seed=1)
    place = write_benchmark(benchmark_from_split(dataset), folder / "bench", layout="published", media="keep")
    parts = {path.relative_to(place).as_posix(): path.read_bytes() for path in sorted(place.rglob("*.[cj]s*"))}
    parts["manifest.json"] = parts["manifest.json"].replace(b'"../d"', b"null")
    return [joined(parts)]


_MADE: dict[str, Callable[[Path], list[bytes]]] = {
    "audio": _sounds,
    "pictures": _photographs,
    "tables": _tables,
    "darwin_core": _archives,
    "inaturalist": _observations,
    "xeno_canto": _recordings,
    "names": _names,
    "licences": _licences,
    "plans": _plans,
    "checkpoints": _checkpoints,
    "benchmarks": _benchmarks,
}


def seeds_of(target: str) -> list[bytes]:
    """Return the seeds of a target."""
    with tempfile.TemporaryDirectory() as folder:
        return _MADE[target](Path(folder))
