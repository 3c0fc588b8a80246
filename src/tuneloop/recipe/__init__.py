"""The recipe: one YAML for a whole life, read and checked, explained, and written out again."""

from tuneloop.recipe.load import load
from tuneloop.recipe.recipe import Recipe

__all__ = ["Recipe", "load"]
