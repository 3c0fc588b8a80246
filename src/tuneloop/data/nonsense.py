"""Nonsense: letters that no language puts in that order, and Chinese characters that hardly anybody uses."""

from __future__ import annotations

import re
import unicodedata

from tuneloop.data.script import HAN

LONG = 6
"""Letters of a word from which its order of letters tells."""
FEW = 4
"""Chinese characters from which a share of them tells: a single rare one may be the answer."""
UNLIKELY = 5.0
"""Bits a letter of a word that nobody means; of 8,449 long words of English rows 0.4 % cost more, mashed keys 84 %."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
# Bits (at most 9) that each letter costs after the start of a word (first row) and after each letter (a to z), counted
# over words of English rows and of messages in 18 European and Asian languages, accents aside.
_TABLE = (
    "34344454576444548433553958 75449757585342759232656947 27892999369288379357399969 29492992494499299463499967 "
    "28951979288685389447469968 47434668586442757234756567 49992499299599199374399959 37981953398584389356499959 "
    "19961999398777299584599949 56344559885441368433849896 29962899496566289756289997 28781885295494379534489969 "
    "38742778297278369745478949 24991899399748239857499979 49432627486686499932569959 76556659595432549244253877 "
    "29772985399378239254499979 79899999899699998899096899 27541758395655379544568958 39592584395666349832497967 "
    "39792992298668389345496859 45454748586342649222879877 29990999299996499779799969 29993992298795299559897969 "
    "37283798399969629981699459 46563778486535149634686986 27661977296664379875575945 "
)
_BITS = _TABLE.split()
_COST = {
    (before, letter): int(_BITS[i][j]) for i, before in enumerate(f"^{_LETTERS}") for j, letter in enumerate(_LETTERS)
}
# Words in small letters, also with a capital first; capitals are short forms, and what touches digits is a password.
_WORD = re.compile(r"(?<![^\W_])[A-Za-z]?[a-z]+(?![^\W_])")


def mashed(text: str) -> float:
    """The share of a text's Latin letters that stand in long words which no language would spell.

    Example:
        >>> mashed("asdkjfhg qwlkejh zxmncb"), mashed("Please send the parcel to Edinburgh.")
        (1.0, 0.0)
    """
    if not text.isascii():
        text = "".join(sign for sign in unicodedata.normalize("NFD", text) if not unicodedata.combining(sign))
    words = _WORD.findall(text.lower() if text.isupper() and " " in text.strip() else text)
    odd = sum(len(word) for word in words if len(word) >= LONG and _cost(word) > UNLIKELY)
    return odd / sum(map(len, words)) if odd else 0.0


def rare(text: str) -> float:
    """The share of a text's Chinese characters outside those that simplified and traditional writing use daily.

    Those are level 1 of GB 2312 and of Big5, both ordered by use.

    Example:
        >>> rare("龘靐齉爩"), rare("我們吃飯，我们喝茶")
        (1.0, 0.0)
    """
    han = HAN.findall(text)
    return sum(not _is_common(sign) for sign in han) / len(han) if len(han) >= FEW else 0.0


def _cost(word: str) -> float:
    return sum(_COST[pair] for pair in zip("^" + word.lower(), word.lower(), strict=False)) / len(word)


def _is_common(sign: str) -> bool:
    simplified = sign.encode("gb2312", "ignore")
    if simplified and simplified[0] < 0xD8:
        return True
    traditional = sign.encode("big5", "ignore")
    return bool(traditional) and traditional[0] < 0xC9
