"""Judging: another model says which of two answers is better, asked in both orders, or how good one is."""
