"""Finders: short trials on the real rows that propose one option each, and leave nothing behind."""
