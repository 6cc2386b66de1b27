"""Where records come from: one adapter a file, behind one protocol."""

from biovita.sources.licenses import allowed, normalise_license
from biovita.sources.source import (
    NAME_COLUMNS,
    RECORDS,
    RejectedRow,
    Source,
    SourceBatch,
    SourceViews,
    StreamedSource,
)

__all__ = [
    "NAME_COLUMNS",
    "RECORDS",
    "RejectedRow",
    "Source",
    "SourceBatch",
    "SourceViews",
    "StreamedSource",
    "allowed",
    "normalise_license",
]
