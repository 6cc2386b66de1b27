"""Files of a model hub: fetched at a pinned revision, or found in the local copy without asking the network."""

from __future__ import annotations

import os
from pathlib import Path

from biovita.errors import ModelError
from biovita.redact import redacted

__all__ = ["OFFLINE_VARIABLE", "go_offline", "hub_file", "hub_has", "is_offline"]

OFFLINE_VARIABLE = "HF_HUB_OFFLINE"  # the hub's own; biovita --offline sets it
_TRUE = {"1", "ON", "YES", "TRUE"}  # as the hub's library reads it


def is_offline() -> bool:
    """Return whether the network is not to be tried."""
    variables = (OFFLINE_VARIABLE, "TRANSFORMERS_OFFLINE")
    return any(os.environ.get(name, "").upper() in _TRUE for name in variables)


def go_offline() -> None:
    """Keep this process, and those it starts, from trying the network for a model."""
    os.environ[OFFLINE_VARIABLE] = "1"


def hub_file(
    repository: str,
    file: str,
    revision: str | None,
    *,
    how: str = "",
    optional: bool = False,
    local: bool = False,
) -> Path | None:
    """Return where a file of a hub repository lies on this machine; it is fetched where it is not there yet.

    A file that is there at a pinned revision costs no request. Offline, only the local copy is looked at.

    Parameters
    ----------
    revision
        A commit; None is the newest, for repositories that a user names.
    how
        What the error tells a user to do to get it.
    optional
        Return None where the repository has no such file.
    local
        Look at the local copy alone.

    Raises
    ------
    ModelError
        Where it is neither here nor to be had.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    offline = local or is_offline()
    at = f"{repository}@{revision[:12]}" if revision else repository
    try:
        return Path(hf_hub_download(repository, file, revision=revision, local_files_only=offline))
    except LocalEntryNotFoundError as error:
        if optional and (offline or _known_absent(repository, file, revision)):
            return None
        reason = "it is not on this machine"
        if not local:
            why = (
                f"{OFFLINE_VARIABLE} or --offline forbids the network" if offline else "the hub cannot be reached"
            )
            reason = f"{reason} and {why}"
        raise ModelError(f"{file} of {at} is missing: {reason}. {how}".strip()) from error
    except GatedRepoError as error:
        raise ModelError(
            f"{at} asks you to accept its terms. Accept them on the hub, then run: hf auth login"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(f"the hub has no repository {repository}, or it is private") from error
    except RevisionNotFoundError as error:
        raise ModelError(f"{repository} has no revision {revision}") from error
    except EntryNotFoundError as error:
        if optional:
            return None
        raise ModelError(f"{at} has no file {file}") from error
    except (HfHubHTTPError, OSError) as error:
        reason = redacted(str(error).split("\n", maxsplit=1)[0])  # signed addresses of the hub's storage
        raise ModelError(f"{file} of {at} cannot be fetched: {reason}. {how}".strip()) from error


def hub_has(repository: str, file: str, revision: str, *, local: bool = False) -> bool:
    """Return whether a repository has a file, without fetching it; offline or ``local``, whether it is here.

    Raises
    ------
    ModelError
        Where the hub cannot be asked.
    """
    from huggingface_hub import file_exists, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(try_to_load_from_cache(repository, file, revision=revision), str):
        return True
    if local or is_offline() or _known_absent(repository, file, revision):
        return False
    try:
        return file_exists(repository, file, revision=revision)
    except (HfHubHTTPError, OSError) as error:
        reason = redacted(str(error).split("\n", maxsplit=1)[0])
        raise ModelError(f"the hub does not say whether {repository} has {file}: {reason}") from error


def _known_absent(repository: str, file: str, revision: str | None) -> bool:
    """Return whether the hub said earlier that the repository has no such file."""
    from huggingface_hub import _CACHED_NO_EXIST, try_to_load_from_cache

    return try_to_load_from_cache(repository, file, revision=revision) is _CACHED_NO_EXIST
