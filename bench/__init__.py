"""Benchmarks that anyone can run: each prints a table and writes its figures, with machine and versions, as JSON.

``python -m bench.start``, ``bench.generate``, ``bench.train``, ``bench.data`` and ``bench.faults``; see
``bench/README.md``.
"""
