"""Varying: what augmenters work with: the texts that may change, what must stay in them, words that mean the same."""
