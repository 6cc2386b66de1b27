"""The sources that a plan can name."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from biovita.sources.darwin_core import DarwinCore
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
}
AnySource = Annotated[
    Inaturalist | InaturalistApi | InaturalistExport | XenoCanto | DarwinCore | Release,
    Field(discriminator="kind"),
]
