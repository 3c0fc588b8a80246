"""Proof: what a run's receipts say, in lines that a person reads."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

Lines = list[tuple[str, str]]


def lines(proof: Mapping[str, Any]) -> Lines:
    """What training really did: the run's receipts, and how far each kind of layer moved.

    Args:
        proof: The content of ``receipts.json``; what is not in it is left out.

    Example:
        >>> moved = {"h.0.q_proj.lora_A.default.weight": 3.0, "h.1.q_proj.lora_A.default.weight": 4.0}
        >>> acts = {"name": "lora", "rank": [8], "scale": [2.0]}
        >>> lines({"adapter": acts, "weights": {"frozen_unmoved": True, "moved": moved}})
        [('adapter', 'lora, rank 8, scale 2'), ('frozen weights unmoved', 'yes'), ('moved: q_proj', '5')]
    """
    told = {
        "ended": proof.get("ended"),
        "steps made": proof.get("steps", {}).get("made"),
        "best step": proof.get("best_step"),
        "rows seen": proof.get("rows_seen"),
        "tokens": proof.get("tokens"),
        "learned tokens": proof.get("supervised_tokens"),
        "rows a step": _steps(proof.get("steps", {})),
        "packed": _packed(proof.get("quick") or {}),
        "processes": _processes(proof.get("processes") or {}),
        "computed again": _recomputed(proof.get("memory") or {}),
        "adapter": _adapter(proof.get("adapter", {})),
        "trained weights": _trained(proof.get("weights", {})),
        "frozen weights unmoved": proof.get("weights", {}).get("frozen_unmoved"),
        "optimizer": _optimizer(proof.get("optimizer", {})),
        "weight decay": _decay(proof.get("optimizer", {})),
        "quantized": _quantized(proof.get("quantization") or {}),
        "precision": _precision(proof.get("precision", {})),
        "learning rate": _rate(proof.get("schedule", {})),
        "rate by batch size": _scaling(proof.get("batch_scaling") or {}),
        "gradient clipped": _clipped(proof.get("clipping") or {}),
        **{
            f"dropout: {place.replace('_', '-')}": _dropped(each)
            for place, each in (proof.get("dropout") or {}).items()
        },
        "noise on embeddings": _noise(proof.get("noise") or {}),
        "label smoothing": _smoothed(proof.get("smoothing") or {}),
        "pulled": _pulled(proof.get("pull") or {}),
        "early stopping": _stopping(proof.get("early_stopping") or {}),
    }
    found = [(name, figure(value)) for name, value in told.items() if value not in (None, "")]
    return found + [(f"moved: {name}", figure(length)) for name, length in moved(proof.get("weights", {}))]


def moved(weights: Mapping[str, Any], most: int = 8) -> list[tuple[str, float]]:
    """How far each kind of layer moved from where it began, all layers of the kind together (Euclidean norm)."""
    squares: dict[str, float] = {}
    for name, length in weights.get("moved", {}).items():
        parts = re.sub(r"\.(lora_\w+|default|weight|bias|base_layer|modules_to_save)\b", "", name).split(".")
        kind = next((part for part in reversed(parts) if not part.isdigit()), name)
        squares[kind] = squares.get(kind, 0.0) + length**2
    farthest = sorted(squares.items(), key=lambda item: -item[1])[:most]
    return [(kind, math.sqrt(square)) for kind, square in farthest]


def figure(value: Any) -> str:
    """A value as a person reads it.

    Example:
        >>> figure(1234567), figure(0.00012345), figure(True), figure("cpu")
        ('1,234,567', '0.0001234', 'yes', 'cpu')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def _adapter(acts: Mapping[str, Any]) -> str:
    """The adapter's name with the rank and scale that its layers really have."""
    told = [f"{name} {', '.join(figure(each) for each in acts[name])}" for name in ("rank", "scale") if name in acts]
    return ", ".join([acts["name"], *told]) if acts else ""


def _trained(weights: Mapping[str, Any]) -> str:
    if "trained" not in weights:
        return ""
    return f"{weights['trained']:,} of {weights['total']:,} ({100 * weights['share']:.2g} %)"


def _steps(steps: Mapping[str, Any]) -> str:
    if "rows_most" not in steps:
        return ""
    micro = _range(steps["micro_batches_fewest"], steps["micro_batches_most"])
    return f"{_range(steps['rows_fewest'], steps['rows_most'])}, in {micro} micro-batch{'' if micro == '1' else 'es'}"


def _packed(quick: Mapping[str, Any]) -> str:
    if "packing" not in quick:
        return ""
    if not quick["packing"]:
        return f"no: {quick['unpacked']}"
    return "one after the other, each document apart" + (", equal beginnings read once" if quick.get("sharing") else "")


def _processes(processes: Mapping[str, Any]) -> str:
    if processes.get("count", 1) < 2:
        return ""
    return f"{processes['count']} with {', '.join(processes['parallel'] or {})}, weights equal at the end"


def _recomputed(memory: Mapping[str, Any]) -> str:
    again = memory.get("gradient_checkpointing")
    return f"activations of {again['modules']:,} modules, to save memory" if again else ""


def _optimizer(optimizer: Mapping[str, Any]) -> str:
    groups = optimizer.get("groups", [])
    counts: dict[str, int] = {}
    for group in groups:
        by = group.get("by", optimizer["name"])
        counts[by] = counts.get(by, 0) + group["weights"]
    if len(counts) < 2:
        return str(optimizer.get("name", ""))
    return ", ".join(f"{name} for {count:,} weights" for name, count in counts.items())


def _decay(optimizer: Mapping[str, Any]) -> str:
    decays: dict[float, int] = {}
    for group in optimizer.get("groups", []):
        decays[group["weight_decay"]] = decays.get(group["weight_decay"], 0) + group["weights"]
    if not any(decays):
        return ""
    return ", ".join(f"{decay:g} on {count:,} weights" for decay, count in decays.items())


def _quantized(found: Mapping[str, Any]) -> str:
    if not found:
        return ""
    kinds = " and ".join(found["values"])
    return f"{found['layers']:,} layers in {kinds}, {found['bits_per_weight']:.3g} bits a weight"


def _precision(precision: Mapping[str, Any]) -> str:
    kept = precision.get("kept_in", {})
    told = [str(precision["used"])] if "used" in precision else []
    told += [f"{part} kept in {' and '.join(formats)}" for part, formats in kept.items() if formats]
    return "; ".join(told)


def _rate(schedule: Mapping[str, Any]) -> str:
    if "highest_from" not in schedule:
        return ""
    at = _range(schedule["highest_from"], schedule["highest_to"])
    return f"{schedule['first']:.3g}, then {schedule['highest']:.3g} (step {at}), last {schedule['last']:.3g}"


def _scaling(scaling: Mapping[str, Any]) -> str:
    if not scaling:
        return ""
    return (
        f"{scaling['written']:.3g} times {scaling['times']:.3g} ({scaling['rule']}, from {scaling['reference']} rows)"
    )


def _clipped(clipping: Mapping[str, Any]) -> str:
    if not clipping:
        return ""
    return f"in {clipping['steps']:,} steps ({100 * clipping['share']:.0f} %), to {clipping['max_grad_norm']:g}"


def _dropped(found: Mapping[str, Any]) -> str:
    p = " and ".join(f"{p:g}" for p in found["p"])
    return f"{p} in {found['modules']:,} modules ({', '.join(found['kinds'])})"


def _noise(noise: Mapping[str, Any]) -> str:
    return f"up to {noise['training']:.3g} (alpha {noise['alpha']:g}), none in evaluation" if noise else ""


def _smoothed(smoothing: Mapping[str, Any]) -> str:
    if not smoothing:
        return ""
    return f"{smoothing['factor']:g}: a loss of {smoothing['evaluation']:.3f} counts as {smoothing['training']:.3f}"


def _pulled(pull: Mapping[str, Any]) -> str:
    return ", ".join(_pulls(pull)) if pull else ""


def _pulls(pull: Mapping[str, Any]) -> Iterator[str]:
    if pull["distance"] is not None:
        yield f"to the start by {pull['l2_start']:g}: {pull['distance']:.4g} away from it"
    if pull["zeros"] is not None:
        yield f"to zero by {pull['l1']:g}: {100 * pull['zeros']:.2g} % are zero"


def _stopping(stopping: Mapping[str, Any]) -> str:
    if not stopping:
        return ""
    return f"on {stopping['on']} of {stopping['rows']:,} rows, after {stopping['patience']} evaluations without gain"


def _range(first: int, last: int) -> str:
    return f"{first:,}" if first == last else f"{first:,} to {last:,}"
