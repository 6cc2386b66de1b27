"""Training by recipes: projections of frozen towers, and the towers themselves."""

from biovita.training.recipe import FrozenRecipe, LossWeights, Recipe, TowersRecipe
from biovita.training.recipes import RECIPES, recipe

__all__ = ["RECIPES", "FrozenRecipe", "LossWeights", "Recipe", "TowersRecipe", "recipe"]
