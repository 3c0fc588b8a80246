"""Training: a dataset and a base become a run and a model.

``train`` is the stage, ``loop`` what happens between its first step and its last; the families
``optimizers`` and ``schedules`` are its plug-in points. Importing this package costs nothing.
"""
