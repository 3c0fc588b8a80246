"""Export: a model in the forms of other tools, each proven to answer like the original."""
