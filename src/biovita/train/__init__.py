"""Losses, sampling, recipes, and the loop."""

from biovita.train.recipe import RECIPES, FrozenRecipe, LossWeights, Recipe, TowersRecipe, recipe

__all__ = ["RECIPES", "FrozenRecipe", "LossWeights", "Recipe", "TowersRecipe", "recipe"]
