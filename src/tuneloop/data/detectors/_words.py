"""Words that say what the number behind them is; the last one before it decides."""

from __future__ import annotations

import re

from tuneloop.data.detectors._text import sentence

# For each kind of number the English words, each a word of its own, and the Chinese ones, which have no blanks around.
_WORDS = {
    "card": (
        r"(?:credit |debit |bank )?cards?|cc|visa|mastercard|amex|american express|unionpay",
        "银行卡|转账|汇款|打款|信用卡|储蓄卡|借记卡|卡号|银联",
    ),
    "id": (
        r"resident id|identity(?: card)?|id card|national id|citizen id|id (?:no|number)",
        "身份证|身份證|证件号|公民身份|居民身份",
    ),
    "social": (r"ssn|social[ -]security", "社会安全|社保号"),
    "passport": (r"passport|travel permit", "护照|通行证"),
    "account": (r"accounts?|acct|routing|iban|qq", "账号|账户|帐号|户号|群号|微信群"),
    "other": (
        r"orders?|driver|licen[cs]e|permit|invoice|tracking|serial|isbn|issn|imei|sku|model|part|ticket"
        r"|case (?:no|number)|reference|ref|version|ver|build|zip|postal|flight|receipt|transaction|batch|patent|doi"
        r"|hash|checksum|timestamp|lottery|winning",
        "订单|单号|运单|快递|流水|编号|序列|邮编|工号|学号|批号|批次|型号|货号|条码|商品码|专利|发票|版本|驾驶证|驾照"
        "|执照|许可证|时间戳|票号|案号|校验|中奖|开奖|彩票",
    ),
    "phone": (
        r"(?:tele|cell|mobile |smart)?phones?|mobile|tel|cell|fax|whats ?app|viber|call(?:ing|ed)?|contact|dial"
        r"|hotline|ring|sms|text (?:me|us|him|her|them|message)|voicemail|landline|reach|answer(?:ing|ed)? at"
        r"|(?:my|his|her|your|our|their|personal|office|home|work|whose|new|old|emergency|toll[- ]free) number"
        r"|number (?:is|at)",
        "电话|電話|手机|手機|联系方式|联系|聯絡|致电|拨打|拨|来电|打给|热线|传真|座机|短信|客服|移动号|号码|电联|微信",
    ),
}
_NUMBER = (
    r"(?:['’s]*[ _-]?(?:numbers?|num|no)(?![A-Za-z])\.?|[ _-]code|编号|号码|号)?(?: (?:is|at|for|of)(?![A-Za-z]))?"
)

_KINDS = re.compile(
    "|".join(
        f"(?P<{name}>(?:(?<![A-Za-z])(?:{english})(?!(?-i:[a-z]|(?<=[A-Z])[A-Z]))|{chinese}){_NUMBER})"
        for name, (english, chinese) in _WORDS.items()
    ),
    re.IGNORECASE,
)
_BETWEEN = re.compile(
    r"[^A-Za-z\u4e00-\u9fff.!！?\n]{0,6}(?:(?:is|was|of|id|no\.?|number|为|是|码|号|[A-Z]{1,4})[^A-Za-z.!?\n]{0,3}){0,3}"
)
_TIGHT = ("other", "account")
_REACH = 40


def said(text: str, start: int, reach: int = _REACH) -> str:
    """What a number is said to be by the last such word before it.

    Args:
        text: The text.
        start: Where the number begins.
        reach: How many characters before it count, at most back to a semicolon or Chinese full stop.

    Returns:
        ``card``, ``id``, ``social``, ``passport``, ``phone``, or (where the word stands right before the number)
        ``account`` or ``other``; or nothing.

    Example:
        >>> said("call me: 5550100", 9), said("order no. 5550100", 10), said("I build 5550100", 8), said("5550100", 0)
        ('phone', 'other', 'other', '')
    """
    last = ""
    for found in _KINDS.finditer(text, sentence(text, start, reach), start):
        if found.lastgroup not in _TIGHT or _BETWEEN.fullmatch(text, found.end(), start):
            last = found.lastgroup or ""
    return last
