"""Object storage by its real protocol: a server of S3 on this machine."""

from __future__ import annotations

import gzip
import io
import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest

from biovita.cli.app import main
from biovita.collect.plan import read_plan
from biovita.collect.select import select
from biovita.dataset import Dataset
from biovita.dataset.check import check
from biovita.embedding import embed, vectors
from biovita.errors import DatasetError
from biovita.media.packed_files import PackedFile
from biovita.modality import Modality
from biovita.publish.pack import pack
from biovita.sources.inaturalist import Inaturalist
from biovita.sources.remote import copied
from biovita.storage import file_system
from support.tiny_training import write_tiny

read_vectors = partial(vectors, space="tower", compute=False)

TABLES = ("photos", "observations", "taxa", "observers")
pytestmark = pytest.mark.slow  # the server takes seconds to import


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client, and no credentials in the environment."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client = boto3.client("s3", aws_access_key_id="key", aws_secret_access_key="secret", region_name="us-east-1")
    yield client
    for bucket in client.list_buckets()["Buckets"]:
        for item in client.list_objects_v2(Bucket=bucket["Name"]).get("Contents", ()):
            client.delete_object(Bucket=bucket["Name"], Key=item["Key"])
        client.delete_bucket(Bucket=bucket["Name"])


@pytest.fixture
def signed(s3: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return s3


def _put_open_data(client: Any, bucket: str, shared_data: Path, acl: str) -> Path:
    """Put the open-data tables into a bucket as the public one has them, compressed at its root."""
    client.create_bucket(Bucket=bucket, ACL=acl)
    folder = shared_data / "formats/inaturalist-open-data"
    for table in TABLES:
        content = gzip.compress((folder / f"{table}.csv").read_bytes(), mtime=0)
        client.put_object(Bucket=bucket, Key=f"{table}.csv.gz", Body=content, ACL=acl)
    return folder


def _rows(path: str, cache: Path | None = None) -> list[dict[str, Any]]:
    rows = [row for batch in Inaturalist(path=path, cache=cache).batches() for row in batch.records.to_pylist()]
    return sorted(({**row, "file": ""} for row in rows), key=lambda row: row["source_id"])


@pytest.mark.parametrize("address", ["s3://anonymous@open-data", "s3://open-data"])
def test_a_public_bucket_reads_as_the_folder(s3: Any, shared_data: Path, tmp_path: Path, address: str) -> None:
    folder = _put_open_data(s3, "open-data", shared_data, "public-read")
    assert _rows(address, tmp_path / "cache") == _rows(str(folder))
    assert sorted(file.name for file in (tmp_path / "cache").iterdir()) == sorted(f"{t}.csv.gz" for t in TABLES)


def test_a_plan_reads_a_private_bucket_with_credentials(signed: Any, shared_data: Path, tmp_path: Path) -> None:
    folder = _put_open_data(signed, "private-data", shared_data, "private")
    given = []
    for name, source in (
        ("s3", 'path = "s3://private-data"\ncache = "cache"'),
        ("folder", f'path = "{folder}"'),
    ):
        plan = tmp_path / f"{name}.toml"
        plan.write_text(f'name = "x"\n[[sources]]\nkind = "inaturalist"\n{source}\n')
        with select(read_plan(plan)) as selection:
            given.append((selection.summary(), selection.left_out()))
    assert given[0] == given[1]
    assert (tmp_path / "cache/photos.csv.gz").is_file()


def test_a_copy_is_made_once_and_anew_when_it_changes(signed: Any, tmp_path: Path) -> None:
    signed.create_bucket(Bucket="tables")
    signed.put_object(Bucket="tables", Key="in/a.txt", Body=b"one")
    target = tmp_path / "cache/a.txt"
    copied("s3://tables/in", ["a.txt"], tmp_path / "cache")
    first = target.stat().st_mtime_ns
    time.sleep(0.01)
    copied("s3://tables/in", ["a.txt"], tmp_path / "cache")
    assert target.stat().st_mtime_ns == first
    signed.put_object(Bucket="tables", Key="in/a.txt", Body=b"three")
    copied("s3://tables/in", ["a.txt"], tmp_path / "cache")
    assert target.read_bytes() == b"three"


def test_what_cannot_be_read_is_named(s3: Any, shared_data: Path, tmp_path: Path) -> None:
    _put_open_data(s3, "closed", shared_data, "private")
    with pytest.raises(DatasetError, match=r"s3://anonymous@closed cannot be read: .*photos"):
        _rows("s3://anonymous@closed", tmp_path / "cache")
    s3.create_bucket(Bucket="empty", ACL="public-read")
    with pytest.raises(DatasetError, match=r"has no photos\.csv\.gz"):
        _rows("s3://anonymous@empty", tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_stream_that_ends_early_is_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_bytes(b"whole")
    store, root = file_system(f"file://{tmp_path}")

    class Cut:
        get_file_info = staticmethod(store.get_file_info)

        def open_input_stream(self, path: str, compression: str | None) -> io.BytesIO:
            return io.BytesIO(b"who")

    monkeypatch.setattr("biovita.sources.remote.file_system", lambda address: (Cut(), root))
    with pytest.raises(DatasetError, match=r"only 3 of the 5 bytes of a\.txt arrived"):
        copied(f"file://{tmp_path}", ["a.txt"], tmp_path / "cache")
    assert not (tmp_path / "cache/a.txt").exists()


def test_media_packed_into_object_storage_embed_as_files(
    signed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signed.create_bucket(Bucket="birds-media")
    files = write_tiny(tmp_path / "files")
    shutil.copytree(files.path, tmp_path / "packed")
    address = "s3://birds-media/sets/media.lance"
    with pytest.raises(SystemExit) as raised:
        main(["data", "pack", str(tmp_path / "packed"), "--out", address])
    assert not raised.value.code
    assert f"{address}: 36 files" in capsys.readouterr().out
    with pytest.raises(DatasetError, match=r"already exists|cannot be written"):
        pack(files, address)
    shutil.rmtree(tmp_path / "packed/media")
    packed = Dataset.open(tmp_path / "packed")
    assert packed.info["packed"] == address
    assert isinstance(packed.locate("media/t0-0.wav"), PackedFile)
    assert {p.code for p in check(packed, hashes=True)} == {p.code for p in check(files, hashes=True)}
    for dataset in (files, packed):
        report = embed(dataset, model="starter", modalities=[Modality.IMAGE], device="cpu", progress=False)
        assert [(part.new, part.failed) for part in report.parts] == [(18, ())]
    one, other = (read_vectors(dataset, "starter", Modality.IMAGE) for dataset in (files, packed))
    np.testing.assert_array_equal(one.vectors, other.vectors)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(DatasetError, match=r"media are packed, but s3://birds-media.* is not packed media"):
        Dataset.open(packed.path).locate("media/t0-0.wav")


def test_packed_media_in_a_public_bucket_need_no_credentials(
    signed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from biovita.dataset.packed_media import PackedMedia

    signed.create_bucket(Bucket="public-media", ACL="public-read")
    files = write_tiny(tmp_path / "files", species=2)
    pack(files, "s3://public-media/media.lance")
    for item in signed.list_objects_v2(Bucket="public-media")["Contents"]:
        signed.put_object_acl(Bucket="public-media", Key=item["Key"], ACL="public-read")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (content,) = PackedMedia.open("s3://anonymous@public-media/media.lance").read(["media/t1-2.png"])
    assert content == (files.path / "media/t1-2.png").read_bytes()
