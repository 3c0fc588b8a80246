"""Forgetting a person or a row: who holds it, versions without it, and nothing of it left behind."""
