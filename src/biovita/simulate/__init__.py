"""A simulated fauna: looks, calls, names and ecology that evolved together along one tree."""

from biovita.simulate.fauna import Fauna, SpeciesTruth
from biovita.simulate.write import simulate

__all__ = ["Fauna", "SpeciesTruth", "simulate"]
