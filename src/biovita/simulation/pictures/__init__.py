"""Pictures of simulated animals: body plans as shapes, a scene behind them, light over both."""

from biovita.simulation.pictures.render import SIDE, picture, silhouette

__all__ = ["SIDE", "picture", "silhouette"]
