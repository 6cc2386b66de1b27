"""A fauna that does not exist, evolved along one tree: looks, calls, names, ecology. Soundscapes with known calls."""

from biovita.simulation.fauna import Fauna, SpeciesTruth
from biovita.simulation.write import simulate_media

__all__ = ["Fauna", "SpeciesTruth", "simulate_media"]
