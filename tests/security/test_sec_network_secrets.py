"""Secrets in plans and in addresses of media stand in nothing that a build writes or prints."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import pytest
import tomli_w

from biovita.dataset import Dataset
from support.collected_media import observation, picture, sound, write_plan
from support.hostile import biovita, python
from support.media_servers import MediaServer, Resource, media_server

# Parameters of addresses, each with a value that must not be seen again; as services write them.
QUERIES = (
    "api_key=zz1secret",
    "page=2&access_token=zz2secret&size=large",
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=zz3secret%2F20260101%2Fus-east-1&X-Amz-Expires=300",
    "X-Amz-SignedHeaders=host&X-Amz-Security-Token=zz4secret&X-Amz-Signature=zz5secret",
    "X-Goog-Credential=zz6secret%40x.iam&X-Goog-Signature=zz7secret",
    "sv=2024-01-01&se=2026-01-01T00%3A00Z&sr=b&sp=r&sig=zz8secret%3D",
    "Expires=1767225600&Signature=zz9secret~&Key-Pair-Id=zzAsecret",
    "GoogleAccessId=zzBsecret@x.org&Expires=1&Signature=zzCsecret",
    "apiKey=zzDsecret",
    "KEY=zzEsecret",
    "user%5Bpassword%5D=zzFsecret",
    "next=https%3A%2F%2Fx.org%2F%3Ftoken%3DzzGsecret",
    "a=1;token=zzHsecret",
)


PLANS = """
import sys
from biovita.cli.app import main

for plan in sys.argv[1:]:
    try:
        main(["data", "plan", plan])
    except SystemExit as ended:
        print(ended.code)
"""


def everything_in(folder: Path) -> str:
    """Return the text of all files: tables unpacked, and all else as it is."""
    texts = []
    for file in sorted(folder.rglob("*")):
        if file.suffix == ".parquet":
            texts.append(json.dumps(pq.read_table(file).to_pylist(), default=str))
        elif file.suffix == ".sqlite":
            texts += sqlite3.connect(file).iterdump()
        if file.is_file():
            texts.append(file.read_bytes().decode("latin-1"))
    return "\n".join(texts)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """A plan whose media are fetched, refused and left out, all at addresses with secrets in them."""
    folder = tmp_path / "plan"
    return write_plan(folder, [])


def fill_in(plan: Path, server: MediaServer) -> None:
    records = []
    for number, query in enumerate(QUERIES):
        path = f"/{number}"
        server.resources[path] = Resource(picture(number) if number % 3 else b"no picture")
        if number % 4 == 3:
            server.resources[path] = Resource(status=403)
        records.append(observation(10 + number, f"{server.url(path)}?{query}", "image", attribution=query))
    host = urlsplit(server.url("")).netloc
    records.append(observation(90, f"http://me:zzIsecret@{host}/u", "image"))
    records.append(observation(91, f"http://{host}:zzJsecret@x.org/u", "image"))
    records.append(observation(92, "ftp://me:zzKsecret@x.org/u", "image"))
    (plan.parent / "answers.json").write_text(json.dumps({"results": records}))
    release = plan.parent / "release/train"
    release.mkdir(parents=True)
    (release / "metadata.csv").write_text("file_name,scientific_name,download_url\n")
    rows = [f"Pica pica,https://x.org/{n}.jpg?sig=zzLsecret{n}\n" for n in range(3)]
    (release / "image_urls.csv").write_text("species,url\n" + "".join(rows))
    plan.write_text(
        "# the token of the server is zzMsecret\n"
        'contact = "zzNsecret@example.org"\n'
        + plan.read_text()
        + "tries = 1\n[[sources]]\n"
        + 'kind = "release" # zzOsecret\npath = "release"\n[[sources]]\nkind = "xeno_canto"\npath = "xc.json"\n'
        + 'contact = "zzPsecret@example.org"\n[limits]\nimages_per_species = 12\n'
    )
    (plan.parent / "xc.json").write_text('{"recordings": []}')


@pytest.mark.slow
def test_a_build_writes_and_prints_no_secret(plan: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with media_server() as server:
        fill_in(plan, server)
        first = biovita("data", "build", plan, "--out", out, seconds=40).succeeded()
        asked = dict(server.asked)
        again = biovita("data", "build", plan, "--out", out, seconds=40).succeeded()
        assert dict(server.asked) == asked  # the ledger still tells one address from another
        assert sum(asked.values()) == len(QUERIES)
    dataset = Dataset.open(out)
    assert dataset.images.num_rows >= 5
    assert dataset.rejected.num_rows >= 6
    assert pq.read_table(out / "omitted.parquet").num_rows >= 1
    urls = dataset.images["url"].to_pylist()
    assert all("***" in url for url in urls), urls
    assert any("page=2&access_token=***&size=large" in url for url in urls)
    texts = {"printed": first.said + again.said, "written": everything_in(out)}
    for name, text in texts.items():
        assert "secret" not in text, (name, text[max(0, text.index("secret") - 300) :][:600])
    assert 'kind = "release"' in dataset.info["made"]["plan"]
    assert "images_per_species = 12" in dataset.info["made"]["plan"]


@pytest.mark.slow
def test_a_plan_that_is_refused_shows_no_secret(tmp_path: Path) -> None:
    sources = (
        'kind = "inaturalist"\npath = "s3://KEY:secret@bucket/x"',
        'kind = "inaturalist"\npath = "s3://KEY:se/cret+secret@bucket/x"',
        'kind = "xeno_canto"\npath = "s3://KEY:secret@bucket/x.csv"',
        'kind = "xeno_canto"\npath = "a.json"\napi_key = "secret"\nquery = "b"',
        'kind = "inaturalist_api"\npath = "a.json"\nquery = { api_key = "secret" }',
        'kind = "folder"\npath = ["https://x.org/?token=secret"]',
        'kind = "https://x.org/?token=secret"',
    )
    plans = []
    for number, source in enumerate(sources):
        plans.append(tmp_path / f"{number}.toml")
        plans[-1].write_text(f'name = "x"\ncontact = "secret@x.org"\n[[sources]]\n{source}\n')
    outcome = python(PLANS, *plans, seconds=30)
    assert outcome.code == 0, outcome.said
    assert "Traceback" not in outcome.said
    assert outcome.out.split() == ["1"] * len(plans), outcome.said
    assert outcome.err.count("biovita: ") == len(plans)
    assert "secret" not in outcome.said, outcome.said


@pytest.mark.slow
def test_an_imported_folder_and_an_older_dataset_show_no_secret(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.wav").write_bytes(sound(1, seconds=1.0))
    (folder / "audio.csv").write_text(
        "file,scientific_name,url,source,source_id,attribution\n"
        "a.wav,Pica pica,https://me:secret@x.org/a.wav,web,https://x.org/a.wav?sig=secret,see x.org/?key=secret\n"
    )
    (folder / "a.jpg").write_bytes(picture(1))
    (folder / "images.csv").write_text("file,scientific_name\na.jpg,Pica pica\n")
    out = tmp_path / "out"
    biovita("data", "import", "folder", folder, "--out", out, seconds=30).succeeded()
    assert "secret" not in everything_in(out)
    plan = '# token: secret\ncontact = "secret@x.org"\nname = "x"\n[[sources]]\nkind = "inaturalist"\n'
    plan += 'path = "s3://KEY:secret@bucket/x"\n'
    made = {"by": "biovita data build", "biovita": "0.1.0", "plan": plan}
    (out / "dataset.toml").write_text(tomli_w.dumps({**Dataset.open(out).info, "made": made}))
    biovita("data", "card", out, seconds=30).succeeded()
    card = (out / "README.md").read_text()
    assert "secret" not in card
    assert 'path = "s3://***@bucket/x"' in card
