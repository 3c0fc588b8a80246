"""Kernels: the few operations that a training step spends its time in, each with a hand-written gradient.

Every one computes exactly what the module it stands in for computes, up to rounding, with fewer passes over memory.
:func:`tuneloop.models.quick.quicken` puts them into a model, and proves each one there first.
"""
