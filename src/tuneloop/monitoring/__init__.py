"""Monitoring: figures of a run while it goes on, what they mean, and how they look."""
