"""Losses, sampling, recipes, and the loop."""

from biovita.train.recipe import FrozenRecipe, LossWeights, Recipe, TowersRecipe
from biovita.train.recipes import RECIPES, recipe

__all__ = ["RECIPES", "FrozenRecipe", "LossWeights", "Recipe", "TowersRecipe", "recipe"]
