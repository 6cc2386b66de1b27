"""A simulated fauna: looks, calls, names and ecology that evolved together along one tree."""

from biovita.simulation.fauna import Fauna, SpeciesTruth
from biovita.simulation.write import simulate_media

__all__ = ["Fauna", "SpeciesTruth", "simulate_media"]
