"""``biovita data pack``, ``unpack``, ``card`` and ``export``; `data` registers them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from biovita.cli.kit import AllowOutside, Json, group, note, print_json, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from biovita.dataset import Dataset
    from biovita.dataset.outgoing import Outgoing

__all__ = ["card", "export_app", "pack", "unpack"]


def pack(dataset: Path, /, *, out: str, allow_outside: AllowOutside = False, as_json: Json = False) -> None:
    """Write a dataset's media into one Lance table, and read them from there: one file, or object storage.

    Parameters
    ----------
    dataset
        Its directory.
    out
        The table to make: a path, or an address such as s3://bucket/birds.lance.
    """
    from biovita.dataset import Dataset
    from biovita.publish.pack import pack as pack_media
    from biovita.publish.pack import state_packed
    from biovita.suggestion import quoted, suggested

    opened = Dataset.open(dataset)
    files = pack_media(opened, out, allow_outside=allow_outside)
    outside = _number_outside(opened, _files(opened))
    state_packed(opened, out)
    if as_json:
        print_json({"packed": out, "dataset": dataset, "files": files, "outside": outside})
        return
    say(f"{out}: {files} files{_words_on_outside(outside)}")
    say(f"{dataset}/dataset.toml names the table, and biovita now reads the media from it")
    if outside:
        note("data unpack does not write files outside the dataset, so keep those that lie there")
    else:
        back = suggested("data unpack", quoted(out), "--out", dataset)
        note(f"The files are not needed any more. To go back to them: {back}")


def unpack(packed: str, /, *, out: Path, as_json: Json = False) -> None:
    """Write packed media back to files, at the paths that the dataset's tables name, and read those from then on.

    Parameters
    ----------
    packed
        The Lance table: a path or an address.
    out
        The dataset's directory.
    """
    from biovita.publish.pack import unpack as unpack_media

    files = unpack_media(packed, out)
    if as_json:
        print_json({"dataset": out, "files": files})
    else:
        say(f"{out}: {files} files written")


def card(dataset: Path, /, *, as_json: Json = False) -> None:
    """Write a dataset's card (README.md with plots), ATTRIBUTION.csv and croissant.json anew.

    Parameters
    ----------
    dataset
        Its directory.
    """
    from biovita.dataset import Dataset
    from biovita.publish.dataset_card import write_papers

    write_papers(Dataset.open(dataset), dataset)
    files = ("README.md", "ATTRIBUTION.csv", "croissant.json")
    if as_json:
        print_json({"dataset": dataset, "files": files})
    else:
        say(f"{dataset}: {', '.join(files[:-1])} and {files[-1]}")


export_app = group("export", "Write a dataset in others' layouts.")


@export_app.command
def release(
    dataset: Path,
    /,
    *,
    out: Path,
    copy: bool = False,
    allow_outside: AllowOutside = False,
    as_json: Json = False,
) -> None:
    """Export as the published release is laid out: train/metadata.csv, train/image_urls.csv and the files.

    Parameters
    ----------
    dataset
        Its directory.
    out
        The directory to make.
    copy
        Copy the files instead of linking them.
    """
    from biovita.dataset import Dataset
    from biovita.publish.export import export_release, training_files

    opened = Dataset.open(dataset)
    counts = export_release(opened, out, copy=copy, allow_outside=allow_outside)
    _print_exported(out, counts, _number_outside(opened, training_files(opened)), as_json=as_json)


@export_app.command
def hub(dataset: Path, /, *, out: Path, allow_outside: AllowOutside = False, as_json: Json = False) -> None:
    """Export as Parquet with the media in it, which Hugging Face's datasets reads as it is.

    Parameters
    ----------
    dataset
        Its directory.
    out
        The directory to make.
    """
    from biovita.dataset import Dataset
    from biovita.publish.export import export_hub

    opened = Dataset.open(dataset)
    counts = export_hub(opened, out, allow_outside=allow_outside)
    _print_exported(out, counts, _number_outside(opened, _files(opened)), as_json=as_json)


def _print_exported(out: Path, counts: Mapping[str, int], outside: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"path": out, "counts": counts, "outside": outside})
    else:
        numbers = ", ".join(f"{number} in {name}" for name, number in counts.items())
        say(f"{out}: {numbers}{_words_on_outside(outside)}")


def _files(dataset: Dataset) -> Iterator[Outgoing]:
    from biovita.dataset.outgoing import stated_files
    from biovita.modality import MEDIA

    return (file for modality in MEDIA for _, file in stated_files(dataset, modality))


def _number_outside(dataset: Dataset, files: Iterable[Outgoing]) -> int:
    """Return how many of the files came from outside a dataset."""
    from biovita.dataset.outgoing import allowed_outside

    return allowed_outside(dataset.path, files, allow=True)


def _words_on_outside(number: int) -> str:
    return f"; {number} files of the dataset lie outside it" if number else ""
