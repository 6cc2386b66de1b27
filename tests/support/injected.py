"""A small dataset of real files whose every text tries to be a formula, markup or an instruction to a terminal."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile
from PIL import Image

from biovita.dataset import Dataset, split_dataset
from biovita.dataset.dataset import write_dataset
from biovita.dataset.schema import AUDIO, IMAGES, REJECTED, taxa_table
from biovita.taxonomy import Taxon

FORMULAS = (
    "=cmd|'C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    " =1+1",
    "\uff1d1+1",
    "'=1",
    "-",
)
MARKUP = (
    '"><script>boo()</script>',
    "' onerror='boo()",
    "</title></style></script><svg onload=boo()>",
    "[a](javascript:boo()) ![b](http://tracker.example/x.png)",
    "<img src=x onerror=boo()> | x | http://evil.example www.evil.example",
    "`<b>` {{ 7 * 7 }} {% raw %} &lt;b&gt;",
    "**bold** <!-- # head --> ~~~ $x$",
    "*a* _b_ <http://evil.example> me@evil.example",
)
TERMINAL = (
    "\x1b[2J\x1b]0;boo\x07",
    "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x9b31m\x85",
    "\u202eevil\u2066",
    "[red]r[/red] [link=http://evil.example]l[/link]",
    "a\rb\x08\x7f",
    "\u2028para\u2029",
    ":smile: [/]",
)


def write_injected(path: Path, *, terminal: bool = False) -> Dataset:
    """Write the dataset, split; its control characters other than tab and carriage return only with ``terminal``."""
    path.mkdir(parents=True)
    rng = np.random.default_rng(0)
    taxa, audio, images = [], [], []
    for number, (formula, markup, escape) in enumerate(zip(FORMULAS, MARKUP, TERMINAL, strict=True)):
        text = f"{formula}{markup}{escape if terminal else ''}"
        species = f"{formula}species{number} {escape if terminal else ''}"
        taxa.append(
            Taxon(
                f"t{number}",
                species,
                common_name=text,
                class_=f"{formula}class {text}",
                order=f"{formula}order",
                family=f"{formula}family{number // 2} {markup}",
                genus=f"{formula}genus{number}",
            )
        )
        for item in range(3):
            row = {
                "taxon_id": f"t{number}",
                "source": f"{chr(13) if item else chr(9)}{text}",
                "source_id": f"{formula}{item}",
                "url": "javascript:boo()" if item else f"{formula}http://evil.example/",
                "license": f"{formula}{markup}" if item else "CC0-1.0",
                "attribution": f"\t{text}" if item else text,
            }
            stem = f"={number}-{item}{TERMINAL[0][:4] if terminal else ''}"
            sound, photograph = path / f"{stem}.wav", path / f"{stem}.png"
            tone = np.sin(2 * np.pi * 1500 * np.arange(8_000) / 8000)
            soundfile.write(sound, 0.4 * tone + 0.01 * rng.normal(size=8_000), 8000)
            Image.fromarray(rng.integers(0, 255, (32, 48, 3), np.uint8)).save(photograph)
            audio.append(
                row
                | {"id": f"=a{number}-{item}", "path": sound.name, "group_id": f"a{number}-{item}"}
                | {"start_s": 0.0, "end_s": 1.0, "duration_s": 1.0, "sample_rate": 8000, "sha256": _hash(sound)}
            )
            images.append(
                row
                | {"id": f"+i{number}-{item}", "path": photograph.name, "group_id": f"i{number}-{item}"}
                | {"width": 48, "height": 32, "sha256": _hash(photograph)}
            )
    rejected = [
        {"modality": "audio", "file": text, "row": 2, "path": text, "name": text, "reason": text, "detail": text}
        for text in (a + (b if terminal else "") for a, b in zip(MARKUP, TERMINAL, strict=True))
    ]
    tables = {
        "taxa": taxa_table(taxa),
        "audio": pa.Table.from_pylist(audio, schema=AUDIO),
        "images": pa.Table.from_pylist(images, schema=IMAGES),
        "rejected": pa.Table.from_pylist(rejected, schema=REJECTED),
    }
    end = TERMINAL[0] + TERMINAL[3] + TERMINAL[4] if terminal else ""
    info = {
        "name": f'=n: "q" \\ \n---\nlicense: mit\n# head {MARKUP[0]}{MARKUP[4]}{end}',
        "version": f"1 {MARKUP[2]}",
        "made": {
            "by": f"`x` {MARKUP[0]}",
            "biovita": "0",
            "plan": f"name = '''x\n```\n{MARKUP[0]}\n````\n'''\n",
            "missing": [f"{MARKUP[3]}\n# {MARKUP[0]}"],
        },
    }
    write_dataset(path, tables, info)
    split_dataset(Dataset.open(path), unseen=3, seed=1, held_out=0.34)
    return Dataset.open(path)


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
