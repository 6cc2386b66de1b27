"""Which modalities of a model can be compared: those whose vectors are of one length."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from biovita.errors import BiovitaError
from biovita.modality import Modality

__all__ = ["comparable"]

logger = logging.getLogger(__name__)


def comparable(widths: Mapping[Modality, int], name: str) -> tuple[Modality, ...]:
    """Return the modalities that can be compared: the most whose vectors have one length. Others are warned of.

    Parameters
    ----------
    widths
        By modality, the length of the vectors.
    name
        Of the model.

    Raises
    ------
    BiovitaError
        Where no two of several modalities have vectors of one length.
    """
    together = max(
        (_with(widths, width) for width in dict.fromkeys(widths.values())), key=len, default=tuple[Modality, ...]()
    )
    if len(together) < 2 <= len(widths):
        raise BiovitaError(
            f"{name} is not in one space: {_listed(widths)}. Vectors of different lengths cannot be compared. "
            "Project them into one space first; for towers of biovita, biovita train does that"
        )
    apart = [modality for modality in widths if modality not in together]
    if apart:
        logger.warning(
            "%s is not in one space: %s. Only directions between %s are scored",
            name,
            _listed(widths),
            " and ".join(modality.plural for modality in together),
        )
    return together


def _with(widths: Mapping[Modality, int], width: int) -> tuple[Modality, ...]:
    return tuple(modality for modality, found in widths.items() if found == width)


def _listed(widths: Mapping[Modality, int]) -> str:
    return ", ".join(f"{modality.plural} have {width:,} numbers" for modality, width in widths.items())
