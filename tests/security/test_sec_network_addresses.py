"""Addresses that strangers choose lead to no host of their choice and to none of this network."""

from __future__ import annotations

import shutil
from pathlib import Path

import lance
import pyarrow.parquet as pq
import pytest
import tomli_w

from biovita.dataset import Dataset
from support.collected_media import observation, sound, write_plan
from support.hostile import biovita, python
from support.odd_servers import OddServer, answer_of, odd_server
from support.tiny_training import write_tiny

TOKEN = "t0ken-of-the-user"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAUSER",
    "AWS_SECRET_ACCESS_KEY": "of-the-user",
    "AWS_SESSION_TOKEN": TOKEN,
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
COMMANDS = """
import sys
from biovita.cli.app import main

for line in sys.argv[1:]:
    try:
        main(line.split("|"))
    except SystemExit as ended:
        print("ended", ended.code, flush=True)
"""


def hostile_addresses(server: OddServer) -> list[str]:
    at = f"127.0.0.1:{server.port}"
    return [
        f"s3://bucket/x?endpoint_override={at}&scheme=http",
        f"s3://bucket/x?scheme=http&endpoint_override={at}#a",
        f"s3://bucket/x?endpoint=http://{at}&allow_http=true",
        f"s3://KEYID:s3cret@bucket/x?endpoint_override={at}&scheme=http",
        "s3://KEYID:s3/cr+et@bucket/x",
        "s3://KEYID-s3cret@bucket/x",
        f"s3://{at}/x",
        f"gs://bucket/x?endpoint_override={at}&scheme=http",
        f"gs://anonymous@bucket/x?endpoint_override={at}&scheme=http",
        f"abfs://c@account/x?endpoint={at}",
        f"az://c/x?azure_storage_endpoint=http://{at}",
        f"hdfs://{at}/x",
        f"http://{at}/x",
        f"S3://bucket/x?endpoint_override={at}&scheme=http",
    ]


def run(*lines: str) -> tuple[list[int], str]:
    outcome = python(COMMANDS, *lines, env=CREDENTIALS, seconds=45)
    assert outcome.code == 0, outcome.said
    assert "Traceback" not in outcome.said, outcome.said
    assert TOKEN not in outcome.said
    assert "s3cret" not in outcome.said
    assert "s3/cr+et" not in outcome.said
    return [int(line.split()[1]) for line in outcome.out.splitlines() if line.startswith("ended ")], outcome.err


@pytest.mark.slow
def test_an_address_of_object_storage_chooses_no_host(tmp_path: Path) -> None:
    files = write_tiny(tmp_path / "files", species=1)
    with odd_server({}) as server:
        lines = []
        addresses = hostile_addresses(server)
        for number, address in enumerate(addresses):
            plan = tmp_path / f"{number}.toml"
            plan.write_text(f'name = "x"\n[[sources]]\nkind = "inaturalist"\npath = "{address}"\ncache = "c"\n')
            packed = tmp_path / f"packed-{number}"
            shutil.copytree(files.path, packed)
            info = {**Dataset.open(packed).info, "packed": address}
            (packed / "dataset.toml").write_text(tomli_w.dumps(info))
            lines += [f"data|plan|{plan}", f"data|check|{packed}"]
            lines += [f"data|pack|{files.path}|--out|{address}", f"data|unpack|{address}|--out|{tmp_path / 'u'}"]
        for name in ("xeno_canto", "release", "folder"):
            plan = tmp_path / f"{name}.toml"
            plan.write_text(f'name = "x"\n[[sources]]\nkind = "{name}"\npath = "s3://KEYID:s3cret@bucket/x.csv"\n')
            lines.append(f"data|plan|{plan}")
        codes, said = run(*lines)
        assert server.heard == []
    assert codes == [1] * len(lines), said
    assert said.count("Give s3://bucket/path") >= 3 * len(addresses)
    assert not (tmp_path / "c").exists()


@pytest.mark.slow
def test_a_packed_table_leads_nowhere_else(tmp_path: Path) -> None:
    """A Lance table may say that its files lie at another address, to which the user's credentials would go."""
    files = write_tiny(tmp_path / "files", species=1)
    assert biovita("data", "pack", files.path, "--out", tmp_path / "media.lance").succeeded()
    table = lance.dataset(str(tmp_path / "media.lance"))
    table.add_bases([lance.DatasetBasePath("s3://of-a-stranger/x", name="other")])
    codes, said = run(f"data|check|{files.path}", f"data|unpack|{tmp_path / 'media.lance'}|--out|{tmp_path / 'u'}")
    assert codes == [1, 1], said
    assert "leads to other places: s3://of-a-stranger/x" in said


@pytest.mark.slow
def test_no_spelling_of_an_address_leads_into_this_network(tmp_path: Path) -> None:
    with odd_server({"/a": answer_of(sound(1))}) as server:
        port = server.port
        spelled = [
            "127.0.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "127.0.0.1.", "localhost",
            "LOCALHOST.", "127\u30020\u30020\u30021", "\uff11\uff12\uff17.0.0.1", "0", "0.0.0.0", "[::1]", "[::]",
            "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]",
            "[64:ff9b:1::127.0.0.1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[2600::5efe:127.0.0.1]", "[fec0::1]",
            "[::1%25lo]", "169.254.169.254", "[64:ff9b::a9fe:a9fe]", "[fd00:ec2::254]",
        ]  # fmt: skip
        addresses = [f"http://{host}:{port}/a" for host in spelled]
        addresses += [f"http://me@{host}:{port}/a" for host in ("127.0.0.1", "x.org\\@127.0.0.1")]
        addresses += [
            f"http:\t//127.0.0.1:{port}/a",
            f"http://127.0.0.1\x00.x.org:{port}/a",
            f"HTTP://127.1:{port}/a",
        ]
        records = [observation(number, address, "audio") for number, address in enumerate(addresses, start=10)]
        plan = write_plan(tmp_path, records)
        plan.write_text(plan.read_text().replace("allow_private = true", "tries = 1\ntimeout_s = 30.0"))
        biovita("data", "build", plan, "--out", tmp_path / "out", seconds=40).succeeded()
        assert server.heard == []
    rejected = pq.read_table(tmp_path / "out/rejected.parquet").to_pylist()
    reasons = {row["path"]: row["reason"] for row in rejected}
    assert len(rejected) == len(addresses)
    for host in spelled:
        if host.startswith("[") and "%" not in host:
            assert reasons[f"http://{host}:{port}/a"] == "private-address", host
    unknown = {
        f"http://{host}:{port}/a" for host in ("127.0.0.1.", "LOCALHOST.", "[::1%25lo]")
    }  # to some resolvers
    others = {path: why for path, why in reasons.items() if why not in {"private-address", "bad-address"}}
    assert {why for path, why in others.items() if path not in unknown} == {"no-address", "bad-value"}


@pytest.mark.slow
def test_a_redirect_leads_into_this_network_neither(tmp_path: Path) -> None:
    """The first server stands for a public one: its address is allowed by hand, and no other."""
    child = """
import sys
from biovita.cli.app import main
from biovita.collect import hosts

check = hosts.check_ip
hosts.check_ip = lambda number, host: None if host == "localhost" else check(number, host)
main(sys.argv[1:])
"""
    targets = ["http://127.0.0.1:{}/b", "http://2130706433:{}/b", "//[::ffff:127.0.0.1]:{}/b", "http://127.1:{}/b"]
    with odd_server({"/b": answer_of(sound(1))}) as private, odd_server({}) as public:
        for number, target in enumerate(targets):
            location = "Location: " + target.format(private.port)
            public.answers[f"/{number}"] = answer_of(b"", location, status="302 Found")
        urls = [f"http://localhost:{public.port}/{number}" for number in range(len(targets))]
        plan = write_plan(tmp_path, [observation(10 + n, url, "audio") for n, url in enumerate(urls)])
        plan.write_text(plan.read_text().replace("allow_private = true", "tries = 1\ntimeout_s = 30.0"))
        outcome = python(child, "data", "build", plan, "--out", tmp_path / "out", seconds=40).succeeded()
        assert sum(public.asked.values()) == len(targets), outcome.said
        assert private.heard == []
    rows = pq.read_table(tmp_path / "out/rejected.parquet").to_pylist()
    assert [row["reason"] for row in rows] == ["private-address"] * len(targets)
