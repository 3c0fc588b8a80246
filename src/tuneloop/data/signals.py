"""Signals: what is wrong with an answer, as far as it can be seen from question and answer alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, TypeAlias

from tuneloop.data.languages import weigh
from tuneloop.data.passages import is_code, prose
from tuneloop.data.repetition import loops
from tuneloop.data.script import HAN
from tuneloop.data.sides import Pair

Signal: TypeAlias = Literal["empty", "placeholder", "echo", "loop", "refusal", "truncated", "other_language"]

_SAYS = re.compile(r"[^\W_]|[^\x00-\u2bff\u3000-\u303f\ufe00-\ufe6f\uff00-\uff65]|[+*/=<>%$#@&^~|√∞≠≤≥×÷±←-⇿☀-➿]")
_MORSE = re.compile(r"\. ?-|- ?\.")
_BLANKS = re.compile(r"[\W_]+")
_PLACEHOLDER = re.compile(
    r"\W*(?:no ?(?:input|output|answer|response)|n/a|nan|null|undefined|todo|tbd|fixme|placeholder"
    r"|\[?(?:insert|add|your|write)(?: the| your)? (?:answer|response|output|text)(?: here)?\]?|lorem ipsum\b.*"
    r"|待补充|待填写|待定|暂无(?:内容|答案|回答|输出)?|(?:此处|在此)(?:填写|输入).{0,8}|无(?:输出|回答|内容|输入)|占位符?)\W*",
    re.IGNORECASE | re.DOTALL,
)
_CANNOT = r"(?:can(?:'?t|not| not)|unable|not able|won't|do(?:n't| not))"
_HELP = (
    r"(?:help|assist|answer|provide|do|fulfil|comply|complete|generate|create|write|discuss|support|engage|process|see"
    r"|view|access)"
)
_REFUSAL = re.compile(
    rf"\W*(?:(?:I'?m|I am) (?:(?:very |so |really )?sorry|afraid)\b[^.\n]{{0,60}}?\b{_CANNOT}\b"
    rf"|(?:sorry|unfortunately|apologies|as an? (?:AI|artificial)[^.\n]{{0,60}}?)[,;:]? (?:but )?"
    rf"I(?:'m| am)? {_CANNOT}\b"
    rf"|I (?:can(?:'?t|not| not)|am unable to|am not able to|won't|will not|must decline to|refuse to) {_HELP}\b"
    rf"|(?:I apologi[sz]e|my apologies)[^.\n]{{0,60}}?\b{_CANNOT}\b"
    r"|(?:No|Insufficient) (?:input|information|image|text|data)(?: (?:was|is))? (?:provided|given)"
    r"|(?:非常|十分|很|真的)?(?:抱歉|对不起|不好意思)[^。\n]{0,30}?(?:无法|不能|不可以|没有办法|没法|不便|不会)"
    r"|(?:作为[^。\n]{0,20}?[，,])?(?:我|本助手|本模型)(?:无法|不能|没有能力|没有办法)(?:够)?"
    r"(?:回答|提供|帮|协助|完成|处理|满足|生成|创建|查看|访问|看到|执行|进行))",
    re.IGNORECASE,
)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_OPEN, _CLOSED = re.compile(r"[(\[{（【《「“]"), re.compile(r"[)\]}）】》」”]")
_LIST = re.compile(r"\s*(?:[-*•·]|\(?\d+[.)、]|[A-Za-z][.)]|[一二三四五六七八九十]+、)\s|\s*#|\s*\|")
_GOES_ON = re.compile(
    r"(?:[,，、;；(（\[【“‘\-–—]|\b(?:the|a|an|and|or|but|of|to|in|on|at|for|with|by|from|as|is|are|was|were|be|been|that|which|who"
    r"|their|its|his|her|your|our|my|this|these|those|can|will|would|should|could|may|might|has|have|had|not|if|when|because"
    r"|such|than|into|between|about|also|very|more|most)|[的和与或及在把被将对从向而但且若因])$"
)
# What stands behind the last sentence of a message that is complete: a topic, an address, a signature.
_ADDED = re.compile(r"(?:#\w+|https?://\S+|[-—–~]\s*\w+(?: \w+){0,3})\s*$")
_FULL_STOP = re.compile(r"[.!?。！？…][\"'”’)）\]]*(?:\s|$)|[。！？]")
_NAMES = "english|chinese|french|spanish|german|japanese|korean|italian|russian|latin|portuguese|arabic|hindi"
_TRANSLATES = re.compile(
    rf"translat|\b(?:{_NAMES})\b|language|word|spell|rewrite|code|program|name|title|lyrics|poem"
    r"|翻译|译成|译为|英文|英语|中文|汉语|法语|德语|日语|韩语|西班牙语|俄语|语言|单词|字母|代码|名字|名称|缩写|改写|换句话",
    re.IGNORECASE,
)
_LATIN_WORD = re.compile("[A-Za-z]{2,}")
_SURE = 0.98


def empty(pair: Pair) -> bool:
    """Whether an answer says nothing: no letter, digit, emoji or sign that can be an answer.

    Example:
        >>> [empty(Pair("q", answer)) for answer in ("...", "", "5", "是", "👍", "+")]
        [True, True, False, False, False, False]
    """
    return not _SAYS.search(pair.answer) and not _MORSE.search(pair.answer)


def placeholder(pair: Pair) -> bool:
    """Whether an answer only keeps the place of one: ``<nooutput>``, ``N/A``, ``TODO``, ``Lorem ipsum …``.

    Example:
        >>> placeholder(Pair("q", "<nooutput>")), placeholder(Pair("q", "None of them."))
        (True, False)
    """
    return _PLACEHOLDER.fullmatch(pair.answer) is not None


def echo(pair: Pair) -> bool:
    """Whether an answer is the question again, signs and blanks aside.

    Example:
        >>> echo(Pair("What is a whale?", "what is a whale")), echo(Pair("Say hi", "Hi"))
        (True, False)
    """
    asked = _BLANKS.sub("", pair.question.casefold())
    return bool(asked) and asked == _BLANKS.sub("", pair.answer.casefold())


def loop(pair: Pair) -> bool:
    """Whether an answer is caught in a loop; the question may have asked for one."""
    return loops(prose(pair.answer) or "-") and not loops(pair.question or "-")


def refusal(pair: Pair) -> bool:
    """Whether an answer begins by refusing.

    Example:
        >>> refusal(Pair("q", "I'm sorry, but I can't help with that.")), refusal(Pair("q", "抱歉，我无法回答。"))
        (True, True)
    """
    return _REFUSAL.match(pair.answer) is not None


def truncated(pair: Pair) -> bool:
    """Whether an answer stops before its end: a fence or bracket left open, or a sentence that goes on.

    A missing full stop alone is no sign of it: lists, titles, code and much Chinese end without one.

    Example:
        >>> truncated(Pair("q", "Whales are mammals. They breathe with")), truncated(Pair("q", "Whales and dolphins"))
        (True, False)
    """
    text = pair.answer.rstrip()
    if len(_FENCE.findall(text)) % 2:
        return True
    last = text.rpartition("\n")[2]
    if is_code(text):
        return text.count("{") > text.count("}") or len(_OPEN.findall(last)) > len(_CLOSED.findall(last))
    if text.endswith("```"):
        return False
    if len(_OPEN.findall(last)) > len(_CLOSED.findall(last)) and not _FULL_STOP.search(last[-3:]):
        return True
    if not _FULL_STOP.search(text):
        return False
    if _GOES_ON.search(text[-12:]):
        return True
    if _LIST.match(last) or _ADDED.search(last) or not last[-1].isalpha():
        return False
    if HAN.search(last):
        return _FULL_STOP.search(last) is not None
    return len(last.split()) > 5 and _FULL_STOP.search(text[:-20]) is not None


def other_language(pair: Pair) -> bool:
    """Whether question and answer are in different languages for certain, and the question asks for none.

    Example:
        >>> other_language(Pair("今天天气怎么样？", "The weather is fine and it will be sunny all day."))
        True
    """
    question, answer = pair
    if len(answer) < 20 or _TRANSLATES.search(question):
        return False
    if HAN.search(question):
        if HAN.search(answer) or len(_LATIN_WORD.findall(question)) > 2 or len(_LATIN_WORD.findall(answer)) < 5:
            return False
    elif question.isascii() and answer.isascii() and len(answer) < 80:
        return False
    asked, answered = weigh(question), weigh(answer)
    one, other = next(iter(asked), ""), next(iter(answered), "")
    return one != other and min(asked.get(one, 0.0), answered.get(other, 0.0)) >= _SURE


SIGNALS: dict[Signal, Callable[[Pair], bool]] = {
    "empty": empty,
    "placeholder": placeholder,
    "echo": echo,
    "loop": loop,
    "refusal": refusal,
    "truncated": truncated,
    "other_language": other_language,
}
"""Every signal by its name, the most certain first."""
