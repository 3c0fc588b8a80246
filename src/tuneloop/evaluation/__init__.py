"""Evaluation: a model and a dataset in, a report out that says whether tuning helped, and how sure that is."""
