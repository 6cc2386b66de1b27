"""Addresses of object storage, as pyarrow and Lance open them.

Credentials, region and endpoint are those of the standard variables and files (``AWS_ACCESS_KEY_ID``, ``AWS_PROFILE``,
``AWS_REGION``, ``AWS_ENDPOINT_URL``, ...). ``s3://anonymous@bucket/folder`` asks without credentials, as public
buckets allow.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pyarrow import fs

__all__ = ["file_system", "for_lance", "is_address"]

_ANONYMOUS = "s3://anonymous@"


def is_address(place: str) -> bool:
    """Say whether a place is an address such as ``s3://bucket/folder``, and not a path."""
    return "://" in place


def file_system(address: str) -> tuple[fs.FileSystem, str]:
    """Return pyarrow's file system of an address, and the path in it.

    Raises
    ------
    OSError, ValueError
        Of pyarrow, where the address cannot be used.
    """
    from pyarrow import fs

    if not address.startswith(_ANONYMOUS):
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
    """Return an address as Lance takes it, and its storage options."""
    if not address.startswith("s3://"):
        return address, None
    options = {"allow_http": "true"} if _endpoint().startswith("http://") else {}
    if address.startswith(_ANONYMOUS):
        return "s3://" + address.removeprefix(_ANONYMOUS), {**options, "aws_skip_signature": "true"}
    return address, options or None


def _endpoint() -> str:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
