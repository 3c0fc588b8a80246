"""Data: raw rows in, a dataset version out. The main road is :func:`tuneloop.data.prepare.prepare`."""
