"""Varying: what augmenters work with: the texts that may change, what in them must not, and words that mean the same."""
