"""Where records come from: one adapter a file, behind one protocol."""

from biovita.sources.base import NAME_COLUMNS, RECORDS, Batch, Rejected, Source, SourceViews, StreamedSource
from biovita.sources.licenses import allowed, normalise_license

__all__ = [
    "NAME_COLUMNS",
    "RECORDS",
    "Batch",
    "Rejected",
    "Source",
    "SourceViews",
    "StreamedSource",
    "allowed",
    "normalise_license",
]
