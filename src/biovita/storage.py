"""Addresses of object storage, as pyarrow and Lance open them.

An address names a bucket and a path in it, and nothing else: ``s3://bucket/folder``, ``gs://bucket/folder``, or
``file:///folder`` of this machine. It may come from a stranger. So credentials, region and endpoint are those of the
standard variables and files alone (``AWS_ACCESS_KEY_ID``, ``AWS_PROFILE``, ``AWS_REGION``, ``AWS_ENDPOINT_URL``, ...).
``s3://anonymous@bucket/folder`` asks without credentials, as public buckets allow.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from biovita.errors import DatasetError
from biovita.redact import redacted

if TYPE_CHECKING:
    from pyarrow import fs

__all__ = ["file_system", "for_lance", "is_address", "storage_address"]

_ANONYMOUS = "s3://anonymous@"
_BUCKET = re.compile(r"(?:s3|gs)://(?:anonymous@)?[A-Za-z0-9][A-Za-z0-9._-]*(?:/.*)?")
_FILE = re.compile(r"file:///.*")
_OPTIONS = re.compile(r"[?#]|[^ -\U0010ffff]")  # what begins options, and control characters


def is_address(place: str) -> bool:
    """Say whether a place is an address such as ``s3://bucket/folder``, and not a path."""
    return "://" in place


def storage_address(address: str) -> str:
    """Return an address that names a bucket and a path, and nothing that would lead elsewhere.

    Raises
    ------
    DatasetError
        Where its scheme is another one, or it holds options (``?endpoint_override=...``), credentials or a port.
    """
    if _OPTIONS.search(address) or not (_BUCKET.fullmatch(address) or _FILE.fullmatch(address)):
        raise DatasetError(
            f"{redacted(address)!r} is not an address that can be read. Give s3://bucket/path, "
            "s3://anonymous@bucket/path, gs://bucket/path or file:///path, without options and credentials. "
            "Those come from the environment (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, ...)"
        )
    return address


def file_system(address: str) -> tuple[fs.FileSystem, str]:
    """Return pyarrow's file system of an address, and the path in it.

    Raises
    ------
    DatasetError
        Where the address holds more than a bucket and a path; see `storage_address`.
    OSError, ValueError
        Of pyarrow, where the address cannot be used.
    """
    from pyarrow import fs

    if not storage_address(address).startswith(_ANONYMOUS):
        return fs.FileSystem.from_uri(address)
    path = address.removeprefix(_ANONYMOUS).rstrip("/")
    endpoint = urlsplit(_endpoint())
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if region is None:
        region = "us-east-1" if endpoint.netloc else fs.resolve_s3_region(path.partition("/")[0])
    store = fs.S3FileSystem(
        anonymous=True,
        region=region,
        endpoint_override=endpoint.netloc or None,  # which pyarrow takes from the variable with credentials only
        scheme=endpoint.scheme or None,
    )
    return store, path


def for_lance(address: str) -> tuple[str, dict[str, str] | None]:
    """Return a path or an address as Lance takes it, and its storage options.

    Raises
    ------
    DatasetError
        Where an address holds more than a bucket and a path, see `storage_address`; where a path is not UTF-8.
    """
    if not is_address(address):
        place = str(Path(address).absolute())  # Lance takes the relative path s3:bucket for an address
        if not place.isascii() and place.encode(errors="replace").decode() != place:
            raise DatasetError(f"{place}: Lance cannot open a folder whose name is not UTF-8. Rename the folder")
        return place, None
    if not storage_address(address).startswith("s3://"):
        return address, None
    options = {"allow_http": "true"} if _endpoint().startswith("http://") else {}
    if address.startswith(_ANONYMOUS):
        return "s3://" + address.removeprefix(_ANONYMOUS), {**options, "aws_skip_signature": "true"}
    return address, options or None


def _endpoint() -> str:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
