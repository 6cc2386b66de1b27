"""The sources that a plan can name."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from biovita.sources.darwin_core import DarwinCore
from biovita.sources.folder_source import Folder
from biovita.sources.inaturalist import Inaturalist
from biovita.sources.inaturalist_api import InaturalistApi, InaturalistExport
from biovita.sources.release import Release
from biovita.sources.xeno_canto import XenoCanto

__all__ = ["SOURCES", "AnySource"]

SOURCES: dict[str, type[Any]] = {
    "inaturalist": Inaturalist,
    "inaturalist_api": InaturalistApi,
    "inaturalist_export": InaturalistExport,
    "xeno_canto": XenoCanto,
    "darwin_core": DarwinCore,
    "release": Release,
    "folder": Folder,
}
AnySource = Annotated[
    Inaturalist | InaturalistApi | InaturalistExport | XenoCanto | DarwinCore | Release | Folder,
    Field(discriminator="kind"),
]
