"""Improving: the closed loop. Train, look at what is wrong, change one thing, train again; every decision is told."""
