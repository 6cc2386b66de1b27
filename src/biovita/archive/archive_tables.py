"""The tables of an archive. A run of ``biovita identify`` is a small one."""

from __future__ import annotations

from enum import StrEnum

import pyarrow as pa

from biovita.taxonomy import Rank

__all__ = [
    "ANNOTATIONS",
    "CANDIDATES",
    "DEPLOYMENTS",
    "LEFT_OUT",
    "NAMED_TAXA",
    "PHOTOGRAPHS",
    "RECORDINGS",
    "WINDOWS",
    "By",
    "Kind",
    "Presence",
]


class Kind(StrEnum):
    """What a candidate or an annotation is of."""

    TAXON = "taxon"
    SOUND = "sound"  # what an encoder's classifier names that is no taxon: an engine, a human voice, noise
    CLASS = "class"  # of a user's own, which is no taxon: a call type, say
    BACKGROUND = "background"  # nothing: it competes with the others and is never an answer


class Presence(StrEnum):
    """What an annotation says of its taxon."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"


class By(StrEnum):
    """Who made an annotation."""

    HUMAN = "human"
    MACHINE = "machine"


_MOMENT = pa.timestamp("us")

_TIME = [
    pa.field("begin_local", _MOMENT),  # by the clock of the recorder or camera
    pa.field("utc_offset_min", pa.int16()),  # of that clock; none where no source states it: it is never guessed
]
_PLACE = [pa.field("latitude", pa.float64()), pa.field("longitude", pa.float64())]  # WGS 84, degrees
_FILE = [
    pa.field("id", pa.string(), nullable=False),  # of its content
    pa.field(
        "path", pa.string(), nullable=False
    ),  # absolute; of packed media below the directory of their dataset
    pa.field("dataset", pa.string()),  # that directory
    pa.field("sha256", pa.string(), nullable=False),  # of the whole file
    pa.field("file_size", pa.int64(), nullable=False),
    pa.field("file_mtime_ns", pa.int64(), nullable=False),
    pa.field("deployment_id", pa.string()),
    *_TIME,
    *_PLACE,
    pa.field("license", pa.string()),
    pa.field("attribution", pa.string()),
    pa.field("group_id", pa.string()),  # items of one group are never each other's exemplars
    pa.field("notes", pa.list_(pa.string()), nullable=False),  # conflicts in what it says of itself, and the like
]

DEPLOYMENTS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("site", pa.string()),
        *_PLACE,
        pa.field("recorder", pa.string()),  # make, model and serial number, as far as they are known
    ]
)
RECORDINGS = pa.schema(
    [
        *_FILE,
        pa.field("start_s", pa.float64()),  # within the file, of what is listened to; none is from its start
        pa.field("end_s", pa.float64()),  # none is up to its end
        pa.field("channel", pa.int16()),  # from 1; none is the mean of all
        pa.field("duration_s", pa.float64(), nullable=False),  # of the file, as its header states
        pa.field("sample_rate", pa.int32(), nullable=False),
        pa.field("channels", pa.int16()),
        pa.field("gain", pa.string()),  # as the recorder states it
    ]
)
PHOTOGRAPHS = pa.schema(
    [
        *_FILE,
        pa.field("width", pa.int32(), nullable=False),  # as it is shown, after its EXIF orientation
        pa.field("height", pa.int32(), nullable=False),
        pa.field(
            "box", pa.list_(pa.float64(), 4)
        ),  # x, y, width, height as shares of the picture; none is all of it
        pa.field("box_of", pa.string()),  # what found the box, and as what: "MegaDetector: animal 0.93"
    ]
)
CANDIDATES = pa.schema(
    [
        pa.field("taxon_id", pa.string(), nullable=False),
        pa.field("scientific_name", pa.string(), nullable=False),
        pa.field("common_name", pa.string()),
        pa.field("rank", pa.string(), nullable=False),
        *(pa.field(rank.value, pa.string()) for rank in Rank if rank != Rank.SPECIES),
        pa.field("kind", pa.string(), nullable=False),  # of `Kind`
        pa.field("listed", pa.bool_(), nullable=False),  # its scores are all kept
        pa.field("evidence", pa.list_(pa.string()), nullable=False),  # kinds that it has: class, name, exemplar
    ]
)
"""What was asked for, a row a candidate. Its place here is its number in `WINDOWS`."""

NAMED_TAXA = pa.schema(
    [
        pa.field("taxon_id", pa.string(), nullable=False),
        pa.field("scientific_name", pa.string(), nullable=False),
        pa.field("common_name", pa.string()),
        pa.field("rank", pa.string(), nullable=False),
        *(pa.field(rank.value, pa.string()) for rank in Rank if rank != Rank.SPECIES),
        pa.field("labels_true", pa.list_(pa.string()), nullable=False),  # traits; what is unknown is in neither
        pa.field("labels_false", pa.list_(pa.string()), nullable=False),
    ]
)
"""What is known of the taxa that an archive's labels name."""

WINDOWS = pa.schema(
    [
        pa.field("media_id", pa.string(), nullable=False),
        pa.field("start_s", pa.float64()),  # within the file; none in photographs
        pa.field("end_s", pa.float64()),
        pa.field("candidates", pa.list_(pa.int32()), nullable=False),  # numbers, the likeliest first
        pa.field("scores", pa.list_(pa.float32()), nullable=False),  # from 0 to 1
        pa.field("evidence", pa.list_(pa.uint8()), nullable=False),  # which kind decided: number of `Evidence`
        pa.field("floor", pa.float32(), nullable=False),  # no candidate that is missing here has a larger score
    ]
)
"""The scores of each window of a recording, or of each photograph: the best, what is not small, what is listed."""

ANNOTATIONS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field(
            "media_id", pa.string()
        ),  # of a recording or photograph; none where it is known by its path alone
        pa.field("path", pa.string()),
        pa.field("modality", pa.string(), nullable=False),
        pa.field("channel", pa.int16()),
        pa.field("start_s", pa.float64()),  # within the file
        pa.field("end_s", pa.float64()),
        pa.field("low_hz", pa.float64()),
        pa.field("high_hz", pa.float64()),
        pa.field("box", pa.list_(pa.float64(), 4)),  # of a photograph, as in `PHOTOGRAPHS`
        *_TIME,  # of its begin, not of the file's
        *_PLACE,
        pa.field("site", pa.string()),
        pa.field("label", pa.string(), nullable=False),  # as whoever made it wrote it
        pa.field("taxon_id", pa.string()),  # none where the label names no taxon
        pa.field("scientific_name", pa.string()),
        pa.field("common_name", pa.string()),
        pa.field("rank", pa.string()),
        pa.field("kind", pa.string(), nullable=False),  # of `Kind`
        pa.field("presence", pa.string(), nullable=False),  # of `Presence`
        pa.field("score", pa.float32()),  # the largest of its windows
        pa.field("probability", pa.float32()),  # none until a calibration fits
        pa.field("mean_score", pa.float32()),
        pa.field("best_start_s", pa.float64()),  # of the window with that score
        pa.field("windows", pa.int32()),
        pa.field("runner_up", pa.string()),  # scientific name of the second best there
        pa.field("runner_up_score", pa.float32()),
        pa.field("evidence", pa.string()),  # which kind decided: class, name, exemplar
        pa.field("plausibility", pa.float32()),  # what the range model says of here and now, from 0 to 1
        pa.field("nearest_audio", pa.string()),  # ids of the nearest labelled recording and photograph
        pa.field("nearest_image", pa.string()),
        pa.field("by", pa.string()),  # a person, or a model
        pa.field("by_kind", pa.string()),  # of `By`
        pa.field("revision", pa.string()),  # of the model
        pa.field("made_at", pa.timestamp("us", tz="UTC")),
        pa.field("note", pa.string()),
    ]
)
"""A span of a recording, a box of a photograph, or all of either, and what is there. Events of a run are such rows."""

LEFT_OUT = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("start_s", pa.float64()),  # where only a part of a recording failed
        pa.field("end_s", pa.float64()),
        pa.field("reason", pa.string(), nullable=False),  # short, stable code
        pa.field("detail", pa.string(), nullable=False),
    ]
)
"""What was given and is in no other table, or has no scores, and why."""
