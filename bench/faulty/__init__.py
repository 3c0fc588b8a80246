"""Runs with one thing wrong, and runs with nothing wrong, as data: real rows, real models, faults from outside."""
