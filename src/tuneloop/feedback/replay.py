"""The next lesson: everything that was collected, and a sample of the old rows, so that nothing is forgotten."""

from __future__ import annotations

import random

from tuneloop.errors import DataError
from tuneloop.feedback.collect import ORIGIN, SPLITS, Collected
from tuneloop.feedback.section import FeedbackSection
from tuneloop.store import Dataset
from tuneloop.store.digest import of_value


def replay(section: FeedbackSection, *, dataset: Dataset, seed: int) -> Collected:
    """Choose the rows that a retraining learns from.

    Args:
        section: The recipe's ``feedback`` section; ``replay`` is the share of old training rows.
        dataset: A dataset version that :func:`~tuneloop.feedback.collect.collect` made.
        seed: Seed of the sample.

    Returns:
        The collected and the sampled training rows in the dataset's order; the held-out rows as they are.

    Raises:
        DataError: No collected row stands in the training split.
    """
    train = list(dataset.records("train"))
    old = [index for index, record in enumerate(train) if not record.origin.startswith(ORIGIN)]
    collected = len(train) - len(old)
    if not collected:
        raise DataError(
            "no corrected row stands in the training split",
            where=dataset.id,
            fix="collect more corrections: those of held-out questions are kept for the evaluation",
        )
    again = set(random.Random(seed).sample(old, round(section.replay * len(old))))
    left_out = set(old) - again
    splits = {name: list(dataset.records(name)) for name in SPLITS if name != "train"}
    splits = {"train": [record for index, record in enumerate(train) if index not in left_out], **splits}
    report = {
        "collected": collected,
        "replayed": len(again),
        "left_out": len(left_out),
        "rows": {name: len(records) for name, records in splits.items() if records},
    }
    key = of_value(["replay", dataset.id, section.replay, seed])
    return Collected({name: records for name, records in splits.items() if records}, key, report)
