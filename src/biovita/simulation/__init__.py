"""A simulated fauna, whose looks, calls, names and ecology evolved together along one tree; soundscapes of real clips."""

from biovita.simulation.fauna import Fauna, SpeciesTruth
from biovita.simulation.write import simulate_media

__all__ = ["Fauna", "SpeciesTruth", "simulate_media"]
