"""Losses, sampling, recipes, and the loop."""

from biovita.train.recipe import RECIPES, LossWeights, Recipe, recipe

__all__ = ["RECIPES", "LossWeights", "Recipe", "recipe"]
