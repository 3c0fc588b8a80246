"""Names and numbers in messengers: what stands behind a label that names one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, final

from tuneloop.data.detectors import Detector, Span

_NUMBER = r"(?P<number>[1-9]\d{4,11})"
_NAME = r"(?P<name>[A-Za-z][\w-]{5,19})"
_TELEGRAM = r"@?(?P<handle>[A-Za-z]\w{4,31})"
_TOUCHES = r"(?![\w@-]|\.\w)"
_SIGN = r"\s{0,2}[:=]\s{0,2}"
_SAYS = rf"(?:{_SIGN}|\s?[是为]\s?(?:{_SIGN})?|\s{{1,2}}(?:is\s{{1,2}})?(?=[\w@-]*[\d_]))"
"""A bare word behind a blank must hold a digit or an underscore: ``WeChat ID is required`` names nobody."""
_WECHAT = re.compile(
    rf"(?:微信(?:号码?|ID|账号)|(?<![A-Za-z])(?:we-?chat|weixin|wx)[ _-]?(?:id|number|号)){_SAYS}"
    rf"(?:{_NAME}|{_NUMBER}){_TOUCHES}"
    rf"|(?:微信|(?<![A-Za-z_])(?:we-?chat|weixin|wx|vx)){_SIGN}(?:{_NAME.replace('name', 'plain_name')}){_TOUCHES}",
    re.ASCII | re.IGNORECASE,
)
_QQ = re.compile(
    rf"(?<![A-Za-z])QQ\s?(?:号码?|账号|number|id)?(?:{_SAYS}|\s{{0,2}})\s{{0,2}}{_NUMBER}{_TOUCHES}",
    re.ASCII | re.IGNORECASE,
)
_LABELLED = re.compile(
    rf"(?<![A-Za-z])telegram(?:[ _-]?(?:id|handle|username|account))?{_SAYS}{_TELEGRAM}{_TOUCHES}",
    re.ASCII | re.IGNORECASE,
)
_GROUPS = ("number", "name", "plain_name", "handle")


@final
class ChatId(Detector):
    """WeChat and Telegram names and QQ numbers, only behind their label (``微信号: ``, ``QQ: ``, ``Telegram ID: ``)."""

    cues: ClassVar[tuple[str, ...]] = (
        *("微信", "qq", "QQ", "Qq", "wx", "WX", "Wx", "vx", "VX", "Vx"),
        *("eixin", "EIXIN", "echat", "eChat", "ECHAT", "e-chat", "e-Chat", "elegram", "ELEGRAM"),
    )

    def find(self, text: str) -> Iterable[Span]:
        """Look behind the labels.

        Example:
            >>> text = "加我微信号:anna_0142，QQ 10000001; Telegram: @anna_example"
            >>> [text[span.start : span.end] for span in ChatId().find(text)]
            ['anna_0142', '10000001', 'anna_example']
        """
        for label in (_WECHAT, _QQ, _LABELLED):
            for match in label.finditer(text):
                group = next(name for name in _GROUPS if match.groupdict().get(name))
                yield self.span(*match.span(group), 0.7)
