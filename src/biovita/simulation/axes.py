"""The eleven axes that a species evolves along; each shows in looks, calls, names and ecology at once.

They stand for the correlations that field biology describes: larger animals call lower, dense cover favours tonal
and open country trilled calls, showy species sing elaborately, nocturnal ones are drab and big-eyed. The simulator
makes them stronger and cleaner than they are in nature.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["AXES", "Axis"]


class Axis(IntEnum):
    """A position in a species' latent vector; about standard normal over the whole fauna.

    ======== =================================== ================================== ==========================
    axis     looks                               calls                              ecology
    ======== =================================== ================================== ==========================
    SIZE     fills the frame; small head and eye low, long, slow                    diet
    COVER    dark, among trunks                  pure tones, reverberant            forest against grassland
    WATER    at or in water                      bubbling, over running water       wetland, marine
    NIGHT    dark, large eyes, by night          long pauses, over a night chorus   nocturnal
    DISPLAY  bright, crested, long-tailed        wide sweeps, many kinds of notes   -
    WARMTH   yellow to red against green to blue rising against falling notes       -
    TEMPO    slender, long legs and tail         fast notes                         migration
    HARSH    barred, streaked or spotted         noise and overtones                -
    SOCIAL   several animals                     several callers                    group-living
    COLD     pale, plump, in snow                short phrases over wind            polar against tropical
    TAME     by fences and walls                 higher, over a mains hum           human-modified habitat
    ======== =================================== ================================== ==========================
    """

    SIZE = 0
    COVER = 1
    WATER = 2
    NIGHT = 3
    DISPLAY = 4
    WARMTH = 5
    TEMPO = 6
    HARSH = 7
    SOCIAL = 8
    COLD = 9
    TAME = 10


AXES: tuple[Axis, ...] = tuple(Axis)
