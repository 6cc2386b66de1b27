"""The options of ``biovita search``: what they are called, what help says of them, and how they are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from biovita.errors import BiovitaError
from biovita.values import number

__all__ = [
    "Audio",
    "Box",
    "Group",
    "Hours",
    "Image",
    "Like",
    "Model",
    "Month",
    "Number",
    "Recall",
    "Since",
    "Skip",
    "Strings",
    "TaxonNames",
    "Until",
    "Want",
    "Weight",
    "Where",
    "Words",
    "weights_of",
]


def _box(type_: Any, tokens: Sequence[Any]) -> tuple[float, ...]:  # noqa: ARG001 - cyclopts hands it over
    text = tokens[0].value
    found = [number(part) for part in text.split(",")]
    if len(found) != 4 or None in found:
        raise BiovitaError(f"{text!r}. Write it as WEST,SOUTH,EAST,NORTH in degrees, such as 5.9,45.8,10.5,47.8")
    return tuple(each for each in found if each is not None)


def weights_of(given: Sequence[str]) -> dict[str, float]:
    """Return weights by kind, of texts such as ``text=0.5``.

    Raises
    ------
    BiovitaError
        Where one is written in another way.
    """
    found: dict[str, float] = {}
    for each in given:
        kind, _, value = each.partition("=")
        weight = number(value)
        if weight is None:
            raise BiovitaError(f"{each!r} is no weight. Write it as KIND=NUMBER, such as text=0.5")
        found[kind.strip()] = weight
    return found


def _recall(type_: Any, tokens: Sequence[Any]) -> float | str:  # noqa: ARG001
    text: str = tokens[0].value
    found = number(text)
    if text != "exact" and found is None:
        raise BiovitaError(f"{text!r}. Give a share such as 0.97, or exact")
    return text if found is None else found


def _several(about: str) -> Any:
    return Parameter(negative=(), help=about)


Audio = Annotated[list[str] | None, _several("A sound file; dawn.wav@12-15 means these seconds of it.")]
Image = Annotated[list[str] | None, _several("A photograph.")]
Words = Annotated[list[str] | None, _several("Words.")]
TaxonNames = Annotated[list[str] | None, _several("The name of a taxon.")]
Weight = Annotated[
    list[str] | None,
    Parameter(
        negative=(),
        consume_multiple=True,
        help="How much parts count: text=0.5. Kinds are audio, image, text, taxon. Default: each counts 1.",
    ),
]
Like = Annotated[list[str] | None, Parameter(negative=(), consume_multiple=True)]
Want = Annotated[
    list[Literal["audio", "images", "taxa"]] | None,
    Parameter(negative=(), consume_multiple=True, help="What is wanted. Default: sounds and photographs."),
]
Strings = Annotated[list[str] | None, Parameter(negative=())]
Box = Annotated[
    tuple[float, float, float, float] | None,
    Parameter(converter=_box, n_tokens=1, allow_leading_hyphen=True, help="WEST,SOUTH,EAST,NORTH in degrees."),
]
Since = Annotated[str | None, Parameter(help="First local day, as 2024-05-17.")]
Until = Annotated[str | None, Parameter(help="Last local day.")]
Month = Annotated[str | None, Parameter(help="Local months: 5, 11-2 or 3,5.")]
Hours = Annotated[str | None, Parameter(help="Local hours: 4-7 is from 4:00 to 7:00.")]
Where = Annotated[str | None, Parameter(help="A condition in SQL over the archive's columns: duration_s > 60.")]
Number = Annotated[int, Parameter(name=("-k", "--k"), help="How many hits.")]
Skip = Annotated[int, Parameter(help="How many hits to pass over, for the next page.")]
Group = Annotated[
    Literal["recording", "site", "taxon", "none"], Parameter(help="Of which the best hit alone is given.")
]
Recall = Annotated[
    float | Literal["exact"],
    Parameter(
        converter=_recall, n_tokens=1, help="Share of the nearest that a large table's index finds, or exact."
    ),
]
Model = Annotated[str | None, Parameter(help="One of the archive's models. Default: the first.")]
