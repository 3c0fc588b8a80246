"""Licences: what the common ones allow, by their SPDX identifiers and those of model hubs. It is no legal advice."""

from __future__ import annotations

import re
from typing import NamedTuple


class Terms(NamedTuple):
    """What a licence asks.

    Attributes:
        commercial: Whether commercial use is allowed.
        attribution: Whether the author must be named.
        share_alike: Whether what is made of it must be under the same licence.
        derivatives: Whether something may be made of it at all.
        conditions: What else it asks, in words.
    """

    commercial: bool = True
    attribution: bool = True
    share_alike: bool = False
    derivatives: bool = True
    conditions: str = ""


_OWN = "it has conditions of its own: read them"
_FREE = Terms(attribution=False)
_PERMISSIVE = Terms()
_COPYLEFT = Terms(share_alike=True)
_KNOWN = {
    **dict.fromkeys(("cc0", "cc-pdm", "pddl", "unlicense", "0bsd", "wtfpl", "public-domain"), _FREE),
    **dict.fromkeys(
        ("mit", "apache", "bsd", "bsd-2-clause", "bsd-3-clause", "isc", "odc-by", "cdla-permissive"), _PERMISSIVE
    ),
    **dict.fromkeys(("ms-pl", "zlib", "ecl", "afl", "bsl"), _PERMISSIVE),
    **dict.fromkeys(("odbl", "gpl", "lgpl", "agpl", "mpl", "epl", "eupl", "cdla-sharing", "gfdl"), _COPYLEFT),
    **dict.fromkeys(
        (
            "openrail",
            "openrail++",
            "bigscience-openrail-m",
            "bigscience-bloom-rail",
            "creativeml-openrail-m",
            "bigcode-openrail-m",
        ),
        Terms(conditions="it forbids some uses: read them"),
    ),
    **dict.fromkeys(
        ("llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "llama4", "gemma"), Terms(conditions=_OWN)
    ),
    **dict.fromkeys(
        ("fair-noncommercial-research-license", "intel-research", "qwen-research"), Terms(commercial=False)
    ),
}
_CREATIVE = re.compile(r"cc-by((?:-(?:nc|nd|sa))*)(?:-\d(?:\.\d)?)?(?:-[a-z]{2,3})?")
_VERSION = re.compile(r"-v?\d+(?:\.\d+)*(?:-(?:only|or-later))?\+?$")


def terms(licence: str) -> Terms | None:
    """What a licence asks; None where it is not known.

    Args:
        licence: Its identifier, in any case: ``CC-BY-NC-4.0``, ``apache-2.0``, ``gpl-3.0-or-later``.

    Example:
        >>> terms("CC-BY-NC-SA-4.0")
        Terms(commercial=False, attribution=True, share_alike=True, derivatives=True, conditions='')
        >>> terms("Apache-2.0") == terms("apache 2.0"), terms("ask Ann") is None
        (True, True)
    """
    name = "-".join(licence.strip().lower().replace("_", "-").split()).removeprefix("the-").removesuffix("-license")
    made = _CREATIVE.fullmatch(name)
    if made:
        asks = set(made[1].split("-"))
        return Terms(commercial="nc" not in asks, share_alike="sa" in asks, derivatives="nd" not in asks)
    return _KNOWN.get(name) or _KNOWN.get(_VERSION.sub("", name))


def spoken(licence: str) -> str:
    """What a licence asks, in words.

    Example:
        >>> spoken("cc-by-sa-4.0"), spoken("cc-by-nc-4.0")
        ('commercial use allowed, name the author, share alike', 'no commercial use, name the author')
    """
    asks = terms(licence)
    if asks is None:
        return "not known: read it" if licence else "not stated"
    said = ["commercial use allowed" if asks.commercial else "no commercial use"]
    said += ["name the author"] * asks.attribution + ["share alike"] * asks.share_alike
    said += ["no derivatives"] * (not asks.derivatives) + [asks.conditions] * bool(asks.conditions)
    return ", ".join(said)
