"""Fetching from a hub of our own on this machine, each in a new process: the hub's library reads its address once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from biovita.errors import ModelError
from biovita.model.met import Met, write_met
from biovita.weights.hub import hub_file
from biovita.weights.hub_models import HUB_MODELS
from support.published_layouts import make, write_published

COMMIT = "64aea8edfcc846842a167944f4a5a052d932d0b4"


class Hub:
    """Serves a folder as ``owner/name`` at one commit, and counts what it is asked for."""

    def __init__(self, folder: Path, repository: str) -> None:
        hub = self
        self.requests: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                hub.requests.append(f"{self.command} {self.path}")
                head, _, name = self.path.partition("/resolve/")
                file = folder / name.partition("/")[2]
                if head != f"/{repository}" or not file.is_file():
                    self.send_response(404)
                    self.send_header(
                        "X-Error-Code", "EntryNotFound" if head == f"/{repository}" else "RepoNotFound"
                    )
                    self.send_header("X-Repo-Commit", COMMIT)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                content = file.read_bytes()
                self.send_response(200)
                self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            do_GET = do_HEAD = answer  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def hub(tmp_path):
    folder = write_published(make(), tmp_path / "files")
    (folder / "clap_config.json").unlink()  # the pinned repository has none, and no such architecture either
    hub = Hub(folder, "risashinoda/BioVITA")
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


def run(tmp_path: Path, address: str, *arguments: str, code: str | None = None, **environment: str):
    program = ["-c", code, *arguments] if code else ["-m", "biovita", *arguments]
    return subprocess.run(
        [sys.executable, *program],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "HF_ENDPOINT": address,
            "HF_HOME": str(tmp_path / "home"),
            "NO_PROXY": "*",
            **environment,
        },
    )


EACH = """
import contextlib, io, json, os, sys, urllib.request
from biovita.cli import main
for line in sys.argv[1:]:
    with contextlib.suppress(OSError):
        urllib.request.urlopen(os.environ["HF_ENDPOINT"] + "/next")
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(line.split())
        except SystemExit as ended:
            code = ended.code
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
"""


def together(tmp_path: Path, address: str, *lines: str) -> list[subprocess.CompletedProcess[str]]:
    """Run commands one after the other in one new process: a start costs seconds.

    Before each it asks the hub for /next.
    """
    done = run(tmp_path, address, *lines, code=EACH)
    assert done.returncode == 0, done.stderr
    return [
        subprocess.CompletedProcess(line, *json.loads(said))
        for line, said in zip(lines, done.stdout.splitlines(), strict=True)
    ]


@pytest.mark.slow
def test_fetching_ahead_then_offline_then_missing(hub, tmp_path):
    missing = run(tmp_path, hub.address, "models", "fetch", "biovita", HF_HUB_OFFLINE="1")
    assert missing.returncode == 1
    assert "not on this machine and HF_HUB_OFFLINE or --offline forbids the network" in missing.stderr
    assert "biovita models fetch biovita" in missing.stderr
    assert "Traceback" not in missing.stderr
    assert hub.requests == []

    fetched = run(tmp_path, hub.address, "models", "fetch", "biovita")
    assert fetched.returncode == 0, fetched.stderr
    place = Path(fetched.stdout.strip().removeprefix("biovita: "))
    names = {"open_clip_config.json", "open_clip_pytorch_model.bin", "clap_weights.pth"}
    assert {file.name for file in place.iterdir()} == names
    assert place.name == COMMIT
    asked = [request for request in hub.requests if "/resolve/" in request]
    assert len(asked) >= 3
    assert all(f"/resolve/{COMMIT}/" in request for request in asked), "only the pinned revision is asked for"

    asked = len(hub.requests)
    offline = ("models fetch biovita --offline", "--offline doctor --json")
    again, doctor = together(tmp_path, hub.address, *offline)
    assert again.stdout == fetched.stdout
    found = {check["name"]: check for check in json.loads(doctor.stdout)["models"]}
    assert found["biovita"]["well"]
    assert not found["clap"]["well"]
    asked += hub.requests.count("GET /next")
    assert len(hub.requests) == asked, "offline, and with all files at hand, the network is not tried"


@pytest.mark.slow
def test_a_file_with_another_hash_and_a_missing_one_are_told(hub, tmp_path):
    code = (
        "from dataclasses import replace\n"
        "from biovita.errors import ModelError\n"
        "from biovita.weights.hub_models import HUB_MODELS, HubFile\n"
        "model = HUB_MODELS['biovita']\n"
        "wrong = replace(model, files=(HubFile('open_clip_config.json', None, 'ab' * 32),))\n"
        "absent = replace(model, files=(HubFile('other.bin'),))\n"
        "for each in (wrong, absent, replace(model, repository='some/body')):\n"
        "    try:\n"
        "        each.fetch(verify=True)\n"
        "    except ModelError as error:\n"
        "        print(' '.join(str(error).split()))\n"
    )
    result = run(tmp_path, hub.address, code=code)
    wrong, absent, other = result.stdout.splitlines()
    assert "is not the expected file" in wrong
    assert "has no file other.bin" in absent
    assert "no repository some/body" in other


@pytest.mark.slow
def test_what_a_repository_has_met_is_read_before_and_after_its_weights_are_fetched(hub, tmp_path):
    name = f"hf-hub:risashinoda/BioVITA@{COMMIT}"
    shutil.copy(write_published(make(), tmp_path / "whole") / "clap_config.json", tmp_path / "files")
    code = (
        "from biovita.model.describe import load_model, met_of\n"
        f"first = met_of({name!r})\n"
        f"loaded = load_model({name!r}, 'cpu')\n"
        "for met in (first, loaded.met, met_of(loaded.card)):\n"
        "    print(met and met.taxa.to_pylist())\n"
    )
    without = run(tmp_path / "without", hub.address, code=code)
    assert without.stdout.splitlines() == ["None"] * 3, without.stderr
    write_met(Met(taxa=pa.array(["pica pica"])), tmp_path / "files")
    found = run(tmp_path / "with", hub.address, code=code)
    assert found.stdout.splitlines() == ["['pica pica']"] * 3, found.stderr


def test_a_hub_out_of_reach_is_told(monkeypatch):
    def unreachable(*_: object, **__: object) -> None:
        raise LocalEntryNotFoundError(
            "no connection"
        )  # what the hub's library raises, after half a minute of trying

    monkeypatch.setattr("huggingface_hub.hf_hub_download", unreachable)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(
        ModelError, match=r"the hub cannot be reached.*biovita models fetch clap.*into a directory"
    ):
        HUB_MODELS["clap"].fetch()


def test_what_a_repository_is_known_to_lack_is_not_asked_for_again(monkeypatch, tmp_path):
    """With the hub out of reach, a repository that was fetched whole is still read."""

    def unreachable(*_: object, **__: object) -> None:
        raise LocalEntryNotFoundError("no connection")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", unreachable)
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path), raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    lacking = tmp_path / "models--some--body" / ".no_exist" / COMMIT / "tokenizer.json"
    lacking.parent.mkdir(parents=True)
    lacking.touch()
    assert hub_file("some/body", "tokenizer.json", COMMIT, optional=True) is None
    with pytest.raises(ModelError, match="the hub cannot be reached"):
        hub_file("some/body", "tokenizer.model", COMMIT, optional=True)


@pytest.mark.slow
def test_any_repository_is_read_by_its_name(hub, tmp_path):
    name = "hf-hub:risashinoda/BioVITA"
    lines = (f"models describe {name} --json", f"models fetch {name}", f"models fetch {name}@{COMMIT}")
    described, fetched, again, odd = together(tmp_path, hub.address, *lines, "models fetch hf-hub:../x")
    card = json.loads(described.stdout)
    assert card["name"].startswith("risashinoda-BioVITA-")
    assert (card["revision"], [tower["dim"] for tower in card["towers"]]) == (COMMIT, [48, 48, 48])
    asked = [part.split("\n") for part in "\n".join(hub.requests).split("GET /next")[1:]]
    assert not any("GET" in each and each.endswith((".bin", ".pth")) for each in asked[0]), "no weights"
    assert sum("GET" in each and each.endswith((".bin", ".pth")) for each in asked[1]) == 2
    place = Path(fetched.stdout.strip().removeprefix(f"{name}: "))
    assert {"open_clip_pytorch_model.bin", "clap_weights.pth"} <= {file.name for file in place.iterdir()}
    assert place.name == COMMIT
    assert again.stdout.strip().endswith(str(place))
    assert not any("/resolve/" in each for each in asked[2]), "all files of a commit are here"
    assert odd.returncode == 1
    assert "Write hf-hub:owner/repository" in odd.stderr
