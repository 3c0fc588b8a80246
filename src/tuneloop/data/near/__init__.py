"""Near duplicates: which texts of many say the same but for a few words, found with bounded memory.

Three steps: texts become tokens and shingles (:mod:`~tuneloop.data.near.tokens`), shingles become band keys that
alike texts share (:mod:`~tuneloop.data.near.bands`), and every pair that shares one is compared exactly
(:mod:`~tuneloop.data.near.shelf`). What the others may rely on: :func:`~tuneloop.data.near.pairs.near_pairs` links
what is near, :func:`~tuneloop.data.near.pairs.leaders` finds what may go, :func:`~tuneloop.data.near.others.near_to`
compares with texts that are known, and :class:`~tuneloop.data.near.overlap.Repeats` finds runs of words repeated.
"""
