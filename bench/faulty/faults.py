"""Faults: each is planted in a healthy case from outside, through rows, models, templates, settings or hooks."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from bench.faulty import meddling, spoiled
from bench.faulty.case import Case, During
from bench.faulty.models import damaged, tuned
from bench.faulty.rows import Row, draw

Plant = Callable[[Case], Case]


def unprepared(case: Case) -> Case:
    """The healthy case as its setting has it."""
    return case


@dataclass(frozen=True)
class Fault:
    """One kind of faulty run.

    Attributes:
        plant: Makes the faulty case of a healthy one.
        causes: Checks any of which names the cause.
        settings: The healthy settings that it is planted in with the seeds 1, 2, 3.
        unseen: Those that it is planted in where no check was made with the runs.
        words: Words of a refusal or a note of the product that name the cause as well.
        prepare: Changes the healthy case first, for the faulty one and the one it is compared with alike.
        twin_is_healthy: Whether nothing is wrong with the one it is compared with, besides the missing fault.
    """

    plant: Plant
    causes: tuple[str, ...]
    settings: tuple[str, str, str]
    unseen: tuple[str, ...]
    words: tuple[str, ...] = ()
    prepare: Plant = unprepared
    twin_is_healthy: bool = True


# --- settings --------------------------------------------------------------------------------


def _rate(factor: float) -> Plant:
    def plant(case: Case) -> Case:
        return case.with_(**{case.rate_path: float(f"{case.rate * factor:.3g}")})

    return plant


def _fifty_epochs(case: Case) -> Case:
    faulty = case.with_(train__num_train_epochs=50, train__stop=None, train__eval_steps=_steps(case, 64) * 5)
    faulty.rows = case.rows[:75]
    return faulty


def _steps(case: Case, rows: int) -> int:
    size = int(case.options.get("train.batch.size", 16))
    return max(1, -(-rows // size))


def _one_row_a_step(case: Case) -> Case:
    options = {"train.batch.size": 1, "train.schedule": "constant", case.rate_path: case.rate * 2}
    options["train.eval_steps"] = max(10, len(case.rows) // 4)
    return case.with_(**options)


def _rank_one(case: Case) -> Case:
    return case.with_(**{"train.adapter": {"lora": {"r": 1, "lora_alpha": 2, "target_modules": ["q_proj"]}}})


# --- rows ------------------------------------------------------------------------------------


def _rows(change: Callable[[list[Row], random.Random], list[Row]]) -> Plant:
    def plant(case: Case) -> Case:
        faulty = case.with_()
        faulty.rows = change(faulty.rows, random.Random(case.seed))
        return faulty

    return plant


def _validation_is_train(case: Case) -> Case:
    faulty = case.with_(train__num_train_epochs=25, train__eval_steps=_steps(case, 120) * 3)
    faulty.rows = case.rows[:120]
    faulty.validation = faulty.rows[:60]
    return faulty


def _long_enough_to_overfit(case: Case) -> Case:
    twin = case.with_(train__num_train_epochs=25, train__eval_steps=_steps(case, 120) * 3)
    twin.rows, twin.validation = case.rows[:120], case.rows[120:180]
    return twin


def _repeated(case: Case) -> Case:
    faulty = case.with_(data__transforms=[])
    faulty.rows = spoiled.repeated(faulty.rows, random.Random(case.seed), exactly=case.seed != 2)
    return faulty


def _two_parts(case: Case) -> Case:
    return case.with_(data__transforms=[])


# --- models and templates --------------------------------------------------------------------


def _own_template(case: Case) -> Case:
    """The base has learned its task with a chat template of its own before."""
    teacher = replace(case.with_(), template=spoiled.TURNS, rows=draw(case.source, 400, case.seed + 200))
    teacher.options = {key: value for key, value in case.options.items() if not key.endswith("adapter")}
    teacher = teacher.with_(**{"train.adapter": "full", teacher.rate_path: min(case.rate, 1.5e-3)})
    folder = tuned(teacher, f"templated-{case.setting}-{case.seed}")
    few = case.with_(train__num_train_epochs=2)
    few.rows = case.rows[:100]  # so few that the base's skill matters
    return replace(few, base=str(folder))


def _other_template(case: Case) -> Case:
    return replace(case.with_(), template=spoiled.OTHER_TURNS[case.seed % len(spoiled.OTHER_TURNS)])


def _exploding(case: Case) -> Case:
    faulty = damaged(case.with_(), "exploding", lambda weights, config: spoiled.loud_layer(weights, config, case.seed))
    return faulty.with_(train__max_grad_norm=None) if case.seed % 2 else faulty


def _from_nothing(case: Case) -> Case:
    options = {"model.init": "random", "train.num_train_epochs": 6, case.rate_path: case.rate * 3}
    return case.with_(**options)


def _tiny_start(case: Case) -> Case:
    return damaged(case.with_(), "vanishing", lambda weights, config: spoiled.tiny_init(weights, config, case.seed))


def _not_finite(case: Case) -> Case:
    faulty = damaged(case.with_(), "nan", lambda weights, config: spoiled.broken_token(weights, config, case.seed))
    place = len(faulty.rows) // 2
    faulty.rows[place] = spoiled.with_mark(faulty.rows[place])
    return faulty


# --- meddling with the training --------------------------------------------------------------


def _during(during: During) -> Plant:
    def plant(case: Case) -> Case:
        return replace(case.with_(), during=during)

    return plant


def _skilled(case: Case) -> Case:
    """The base can do something already, which is measured; what it learns now is something else, gently."""
    from bench.faulty import healthy
    from bench.faulty.models import base_of

    skill = "lora_embedded" if case.base == "embedded" else "full_en"
    base = "embedded" if case.base == "embedded" else base_of("tuned:full_en", case.seed)
    gentle = case.with_(**{case.rate_path: case.rate / 10, "train.num_train_epochs": 2})
    return replace(gentle, base=base, measured=healthy.SETTINGS[skill].source)


def _harsh(case: Case) -> Case:
    return case.with_(**{"train.adapter": "full", case.rate_path: case.rate * 15, "train.num_train_epochs": 10})


FAULTS = {
    "rate_x100": Fault(
        _rate(100),
        ("rate_too_high", "diverging"),
        ("lora_en", "full_sums", "classes"),
        ("lora_embedded", "texts_grimm"),
    ),
    "rate_div1000": Fault(_rate(1e-3), ("rate_too_low",), ("full_en", "lora_zh", "texts"), ("lora_code", "classes_zh")),
    "shuffled": Fault(
        _rows(spoiled.shuffled),
        ("label_noise",),
        ("full_sums", "classes", "lora_sums"),
        ("lora_embedded", "classes_zh"),
    ),
    "wrong_labels": Fault(
        _rows(spoiled.some_wrong), ("label_noise",), ("classes", "classes_lora", "full_sums"), ("classes_zh",)
    ),
    "epochs_50": Fault(
        _fifty_epochs,
        ("overfit", "small_data", "memorised"),
        ("full_en", "lora_en", "full_sums"),
        ("lora_embedded", "full_problems"),
    ),
    "leak": Fault(
        _validation_is_train,
        ("leak",),
        ("full_en", "full_sums", "full_zh"),
        ("full_problems", "lora_code"),
        ("leak",),
        _long_enough_to_overfit,
        twin_is_healthy=False,
    ),
    "not_finite": Fault(
        _not_finite, ("not_finite",), ("full_en", "lora_zh", "texts"), ("lora_code", "texts_grimm"), ("the loss is",)
    ),
    "frozen": Fault(
        _during(meddling.frozen),
        ("dead",),
        ("lora_en", "lora_zh", "lora_sums"),
        ("lora_embedded", "lora_code"),
        ("moved",),
    ),
    "template": Fault(
        _other_template,
        ("template",),
        ("lora_sums", "full_sums", "lora_en"),
        ("lora_code",),
        prepare=_own_template,
    ),
    "truncated": Fault(
        _rows(spoiled.truncated), ("truncated",), ("full_en", "full_zh", "lora_en"), ("full_problems", "lora_code")
    ),
    "no_end": Fault(
        _during(meddling.endless),
        ("never_stops",),
        ("full_en", "full_sums", "full_zh"),
        ("full_problems", "lora_embedded"),
    ),
    "rank_one": Fault(_rank_one, ("capacity",), ("lora_sums", "lora_en", "lora_sums"), ("lora_embedded", "lora_code")),
    "exploding": Fault(_exploding, ("exploding",), ("full_en", "full_sums", "texts"), ("texts_grimm", "full_problems")),
    "vanishing": Fault(
        _tiny_start,
        ("vanishing",),
        ("texts", "full_en", "full_sums"),
        ("texts_grimm", "full_problems"),
        prepare=_from_nothing,
    ),
    "duplicated": Fault(
        _repeated,
        ("duplicated",),
        ("full_en", "full_zh", "classes"),
        ("full_problems", "lora_code"),
        prepare=_two_parts,
    ),
    "noisy": Fault(_one_row_a_step, ("noisy",), ("full_en", "full_sums", "lora_en"), ("full_problems", "lora_code")),
    "forgetting": Fault(
        _harsh,
        ("forgetting",),
        ("full_sums", "lora_sums", "full_zh"),
        ("full_problems",),
        prepare=_skilled,
    ),
}
"""Every kind of faulty run by its name."""
