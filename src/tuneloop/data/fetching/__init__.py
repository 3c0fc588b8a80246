"""Fetching: what lies elsewhere becomes a file of the store first, page by page, and is read like any other."""
