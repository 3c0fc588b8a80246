"""Pictures of a card: the flow of the rows, and bars, as SVG that takes colours and font from the page around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

from tuneloop.data.card.flow import Flow, Stage

WIDTH = 760
LEFT, TRUNK = 196, 300
"""Where the trunk of the flow begins, and its width where all rows are in it."""
HEAD, ROW, FOOT = 92, 46, 108
MOST = 5
"""Sources that are shown; the others flow together."""


def river(flow: Flow) -> str:
    """Draw the rows as a stream from the sources through every station into the splits; widths are rows.

    Args:
        flow: The way of the rows.

    Returns:
        An ``<svg>`` element with a title and a description that says the same in words.
    """
    widest = max(1, flow.stages[0].taken, *(stage.taken + stage.made for stage in flow.stages))
    scale = TRUNK / widest
    height = HEAD + ROW * len(flow.stages) + FOOT
    kept = sum(flow.splits.values())
    parts = [
        f'<svg class="river" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="river-title river-text">',
        '<title id="river-title">Where the rows went</title>',
        f'<desc id="river-text">{escape(_words(flow))}</desc>',
        *_springs(flow, scale),
    ]
    for number, stage in enumerate(flow.stages):
        parts += _station(stage, HEAD + ROW * number, scale)
    return "\n".join([*parts, *_mouths(flow, HEAD + ROW * len(flow.stages), scale, kept), "</svg>"])


def bars(bins: Sequence[Mapping[str, int]], label: str) -> str:
    """Draw a histogram whose ranges double.

    Args:
        bins: ``from``, ``below`` and ``rows`` of each range that has rows, in order.
        label: What it shows, for readers who do not see it.

    Returns:
        An ``<svg>`` element; empty where there are no rows.
    """
    if not bins:
        return ""
    rows = {each["below"]: each["rows"] for each in bins}
    edges = [bins[0]["below"]]
    while edges[-1] < bins[-1]["below"]:
        edges.append(edges[-1] * 2)
    most, wide, high = max(rows.values()), 312, 96
    tallest = max(rows, key=rows.__getitem__)
    step = wide / max(len(edges), 5)
    said = "; ".join(f"below {each['below']:,}: {each['rows']:,}" for each in bins)
    parts = [
        f'<svg class="bars" viewBox="0 0 {wide} {high + 34}" role="img" aria-label="{escape(f"{label}: {said}")}">'
    ]
    for place, edge in enumerate(edges):
        count = rows.get(edge, 0)
        tall = high * count / most if count else 0
        x = place * step
        parts.append(
            f'<rect x="{x + 1:.1f}" y="{12 + high - tall:.1f}" width="{step - 2:.1f}" height="{max(tall, 0.6):.1f}">'
            f"<title>below {edge:,}: {count:,} rows</title></rect>"
        )
        last = place == len(edges) - 1
        if len(edges) <= 9 or place % 2 == (len(edges) - 1) % 2:
            anchor = "end" if last and len(edges) >= 5 else "middle"
            parts.append(f'<text x="{x + step:.1f}" y="{high + 28}" text-anchor="{anchor}">{_short(edge)}</text>')
        if count == most and edge == tallest:
            parts.append(f'<text x="{x + step / 2:.1f}" y="9" text-anchor="middle">{most:,}</text>')
    return "\n".join([*parts, "</svg>"])


def _short(number: int) -> str:
    return f"{number // 1024}k" if number >= 1024 else str(number)


def _words(flow: Flow) -> str:
    said = [f"{rows:,} rows from {name}" for name, rows in flow.sources[:MOST]]
    for stage in flow.stages:
        if stage.made or stage.gone:
            made = f"made {stage.made:,} rows" if stage.made else ""
            gone = f"set aside {stage.gone:,}" if stage.gone else ""
            said.append(f"{stage.name} {' and '.join(filter(None, (made, gone)))}")
    said.append(", ".join(f"{name}: {rows:,}" for name, rows in flow.splits.items()))
    return "; ".join(said)


def _springs(flow: Flow, scale: float) -> list[str]:
    """The sources above, each flowing into its part of the trunk."""
    shown = list(flow.sources)
    if len(shown) > MOST:
        rest = shown[MOST - 1 :]
        shown = [*shown[: MOST - 1], (f"{len(rest)} more", sum(rows for _, rows in rest))]
    least = 200 if len(shown) < 4 else 105
    places: list[tuple[float, float]] = []
    for _, rows in shown:
        wide = rows * scale
        after = max(places[-1][1] + 26, sum(places[-1]) / 2 + least - wide / 2) if places else 0.0
        places.append((after, after + wide))
    first = min(sum(places[0]) / 2 - least / 2, 0.0)
    shift = max(8 - first, LEFT + TRUNK / 2 - places[-1][1] / 2) if len(shown) > 1 else LEFT
    parts, into = [], float(LEFT)
    for (name, rows), (start, end) in zip(shown, places, strict=True):
        wide, middle = end - start, shift + (start + end) / 2
        parts.append(_band(shift + start, shift + end, 46, into, into + wide, HEAD, "stream"))
        parts.append(
            f'<text class="name" x="{middle:.1f}" y="18" text-anchor="middle">{escape(_tail(name, least // 8))}'
            f'<tspan class="count" x="{middle:.1f}" dy="16">{rows:,}</tspan></text>'
        )
        into += wide
    return parts


def _station(stage: Stage, y: float, scale: float) -> list[str]:
    """A piece of the trunk, what leaves it to the right, and what is made in it."""
    parts = []
    stays = LEFT + (stage.taken - stage.gone) * scale
    edge = LEFT + TRUNK + 26
    if stage.taken > stage.gone:
        parts.append(_band(LEFT, stays, y, LEFT, stays, y + ROW, "stream"))
    if stage.gone:
        parts.append(_branch(stays, stays + stage.gone * scale, y, edge))
        worst = max(stage.aside, key=lambda reason: (stage.aside[reason], reason))
        more = f" and {len(stage.aside) - 1} more reasons" if len(stage.aside) > 1 else ""
        said = escape(_cut(worst, 22 if more else 34))
        parts.append(
            f'<text class="gone" x="{edge + 8}" y="{y + 26:.1f}">− {stage.gone:,}'
            f'<tspan class="why" x="{edge + 8}" dy="14">{said}{more}</tspan></text>'
        )
    if stage.made:
        end = stays + stage.made * scale
        parts.append(_band(stays, end, y + 8, stays, end, y + ROW, "made"))
        below = 12 if stage.gone else 28
        parts.append(f'<text class="born" x="{edge + 8}" y="{y + below:.1f}">+ {stage.made:,} made</text>')
    widest = LEFT + stage.taken * scale
    parts.append(f'<line class="weir" x1="{LEFT - 8}" x2="{widest:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
    changed = f'<tspan class="why" x="{LEFT - 16}" dy="14">changed {stage.changed:,}</tspan>' if stage.changed else ""
    lift = 0 if changed else 6
    parts.append(
        f'<text class="name" x="{LEFT - 16}" y="{y + 19 + lift:.1f}" text-anchor="end">{escape(_cut(stage.name, 20))} '
        f'<tspan class="count">{stage.taken:,}</tspan>{changed}</text>'
    )
    return parts


def _branch(left: float, right: float, y: float, edge: float) -> str:
    """A band that turns off to the right, no wider at its end than a line of text."""
    right = max(right, left + 1)
    y1 = y + 18
    y2 = y1 + min(right - left, 16)
    return (
        f'<path class="aside" d="M{left:.1f},{y:.1f} H{right:.1f} C{right:.1f},{y1 - 4:.1f} {right + 6:.1f},{y1:.1f} '
        f"{right + 20:.1f},{y1:.1f} H{edge:.1f} V{y2:.1f} H{left + 20:.1f} C{left + 6:.1f},{y2:.1f} "
        f'{left:.1f},{y2 - 4:.1f} {left:.1f},{y:.1f} Z"/>'
    )


def _mouths(flow: Flow, y: float, scale: float, kept: int) -> list[str]:
    """The splits below, with their shares."""
    parts, gap = [], 90.0
    ends = [(name, rows) for name, rows in flow.splits.items() if rows]
    total = kept * scale + gap * (len(ends) - 1)
    at, into = max(10.0, LEFT + kept * scale / 2 - total / 2), float(LEFT)
    places = []
    for name, rows in ends:
        wide = rows * scale
        parts.append(_band(into, into + wide, y, at, at + max(wide, 1.5), y + 62, name))
        places.append((name, rows, at + wide / 2))
        at, into = at + wide + gap, into + wide
    shift = _apart([place for _, _, place in places], 110)
    for (name, rows, _), place in zip(places, shift, strict=True):
        share = f"{100 * rows / kept:.3g} %" if kept else ""
        parts.append(
            f'<text class="name" x="{place:.1f}" y="{y + 80:.1f}" text-anchor="middle">{escape(name)} '
            f'<tspan class="count">{rows:,}</tspan><tspan class="why" x="{place:.1f}" dy="15">{share}</tspan></text>'
        )
    parts.append(f'<line class="weir" x1="{LEFT - 8}" x2="{LEFT + kept * scale:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
    parts.append(
        f'<text class="name" x="{LEFT - 16}" y="{y + 5:.1f}" text-anchor="end">kept '
        f'<tspan class="count">{kept:,}</tspan></text>'
    )
    return parts


def _apart(places: Sequence[float], least: float) -> list[float]:
    """Places moved right until neighbours are far enough apart to be read."""
    moved = [max(place, 60.0) for place in places]
    for before, after in pairwise(range(len(moved))):
        moved[after] = max(moved[after], moved[before] + least)
    return moved


def _band(left: float, right: float, y: float, to_left: float, to_right: float, to_y: float, kind: str) -> str:
    """A band that flows downwards from one stretch to another."""
    half = (y + to_y) / 2
    right, to_right = max(right, left + 0.8), max(to_right, to_left + 0.8)
    if left == to_left and right == to_right:
        return f'<path class="{kind}" d="M{left:.1f},{y:.1f} H{right:.1f} V{to_y:.1f} H{left:.1f} Z"/>'
    down = f"C{right:.1f},{half:.1f} {to_right:.1f},{half:.1f} {to_right:.1f},{to_y:.1f}"
    back = f"C{to_left:.1f},{half:.1f} {left:.1f},{half:.1f} {left:.1f},{y:.1f}"
    return f'<path class="{kind}" d="M{left:.1f},{y:.1f} H{right:.1f} {down} H{to_left:.1f} {back} Z"/>'


def _tail(name: str, most: int) -> str:
    """The end of a file's name, which tells more than its beginning."""
    return name if len(name) <= most else "…" + name[1 - most :]


def _cut(text: str, most: int) -> str:
    wide = 0
    for place, sign in enumerate(text):
        wide += 2 if sign >= "\u2e80" else 1
        if wide > most:
            return text[:place].rstrip() + "…"
    return text
