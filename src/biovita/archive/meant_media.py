"""Which recordings and photographs of an archive are meant by ids, paths and sites."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive import MEDIA_TABLES, Archive
from biovita.errors import DatasetError, unknown_name

__all__ = ["meant_media"]


def meant_media(archive: Archive, what: Sequence[str], sites: Sequence[str]) -> pa.Array:
    """Return the ids of media that are meant.

    Parameters
    ----------
    what
        Ids of media, and files or folders.

    Raises
    ------
    DatasetError
        Where something that is named is not in the archive.
    """
    columns = ["id", "path", "deployment_id"]
    media = pa.concat_tables([archive.table(name).select(columns) for name in MEDIA_TABLES.values()])
    chosen = pc.is_in(media["id"], value_set=pa.array(what, pa.string()))
    for name in what:
        place = str(Path(name).expanduser().absolute())
        below = pc.starts_with(media["path"], place.rstrip("/\\") + "/")
        here = pc.or_(pc.or_(pc.equal(media["path"], place), below), pc.equal(media["id"], name))
        if not pc.any(here).as_py():
            raise DatasetError(
                f"{archive.path} has no recording or photograph {name}: it is neither an id, nor a path in it"
            )
        chosen = pc.or_(chosen, here)
    deployments = archive.table("deployments")
    for name in sites:
        ids = deployments.filter(pc.equal(deployments["site"], name))["id"].combine_chunks()
        if not len(ids):
            known = deployments["site"].drop_null().to_pylist()
            raise DatasetError(unknown_name(f"site of {archive.path}", name, known))
        chosen = pc.or_(chosen, pc.fill_null(pc.is_in(media["deployment_id"], value_set=ids), fill_value=False))
    return media.filter(chosen)["id"].combine_chunks()
