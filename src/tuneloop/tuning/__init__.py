"""The stage that searches: changes of a recipe are tried, each a training of its own, and the best is kept."""
