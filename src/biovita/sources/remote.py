"""Tables in object storage, copied once."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from biovita.errors import DatasetError
from biovita.files import refuse_links, replacing
from biovita.redact import redacted
from biovita.storage import file_system

__all__ = ["copied"]

_CHUNK = 1 << 20


def copied(address: str, names: Sequence[str], cache: Path) -> Path:
    """Return ``cache``, with the named files of ``address`` in it; a copy of the same size is not made again.

    Parameters
    ----------
    address
        Of a directory, as `biovita.storage.file_system` takes it: ``s3://bucket/folder``, ``gs://...``,
        ``file:///...``; ``s3://anonymous@bucket`` reads a public bucket without credentials.

    Raises
    ------
    DatasetError
        Where the address holds more than a bucket and a path, cannot be read, lacks one of the files, or gives less of
        it than it states; where a link lies in the cache in the place of a file.
    """
    from pyarrow import ArrowInvalid, fs

    try:
        store, root = file_system(address)
        cache.mkdir(parents=True, exist_ok=True)
        refuse_links(*(cache / name for name in names))
        for name in names:
            found = store.get_file_info(f"{root}/{name}")
            if found.type != fs.FileType.File:
                raise DatasetError(f"{address}: has no {name}")
            target = cache / name
            if target.is_file() and target.stat().st_size == found.size:
                continue
            source = store.open_input_stream(f"{root}/{name}", compression=None)
            with source, replacing(target) as scratch:
                with scratch.open("wb") as copy:
                    shutil.copyfileobj(source, copy, _CHUNK)
                if (got := scratch.stat().st_size) != found.size:
                    raise DatasetError(f"{address}: only {got} of the {found.size} bytes of {name} arrived")
    except (OSError, ArrowInvalid) as error:
        raise DatasetError(redacted(f"{address} cannot be read: {error}")) from None
    return cache
