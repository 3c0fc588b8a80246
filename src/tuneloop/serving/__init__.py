"""Serving: what a ref points at, as an OpenAI-compatible service that keeps its answers and takes feedback on them."""
