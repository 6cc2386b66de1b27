"""Losses, sampling, recipes, and the loop."""

from biovita.training.recipe import FrozenRecipe, LossWeights, Recipe, TowersRecipe
from biovita.training.recipes import RECIPES, recipe

__all__ = ["RECIPES", "FrozenRecipe", "LossWeights", "Recipe", "TowersRecipe", "recipe"]
