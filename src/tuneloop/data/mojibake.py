"""Mojibake: text whose bytes were read in the wrong encoding, and what it was before."""

from __future__ import annotations

import re

from tuneloop.data.script import HAN

# Outside these signs nothing can be misread UTF-8 as ftfy knows it: Latin letters beyond ASCII, Greek, Cyrillic, and
# the two signs that Mac Roman has for the lead bytes of UTF-8.
_SUSPECT = re.compile("[\x80-\u04ff\u201a\u221a]")
_CONTROL = re.compile("[\x80-\x9f]")
_WESTERN_RUN = re.compile("[\xa1-\xff]+")
_DENSE = re.compile("[\xa1-\xff]{4}")
# What the first two bytes of a Chinese or Japanese character, or of their punctuation, say in UTF-8 read as GBK.
_LEADS = (0xE2, 0xE3, *range(0xE4, 0xEA), 0xEF)
_HALVED = re.compile(
    f"[{''.join(bytes([lead, next_]).decode('gbk', 'ignore') for lead in _LEADS for next_ in range(0x80, 0xC0))}]"
)
_FOREIGN_RUN = re.compile("[^\x00-\x7f]{2,}")
_FREQUENT = frozenset(
    "一三上下不与且业东丝两严个中临为主么义之也习书了事二于互些交产人什今从他代令以们件价任份企众优会传但位低住体何作你使例供便保信倒候值做像儿元先光免入全公共关其具内再写决况冷准凉减几凤出分列则创利别到制"
    "前力功加务动助包化区医十半单卖南印即卷压原去参又及反发取受变口句只叫可号司吃各合同名后向吗否吧含听启告员呢周味命和品响哥商啊喜器四回因国图在地场块型域基增声处备复外多够大天太夫失头女奶好如始姐娘子字存"
    "学孩它安完定宝实客宫家容密对导将小少就尿居展工差己已市布师带帮常干平年并序库应店度建开式引张强当录形影往很得心必忙快态怎急性总息患您情想意感慢成我或户房所手才打找技把护拉择拿持指按换据排接控推提操支收"
    "改放政故效救数整文料断新方无日早时明易是显晚智更最月有服望期未本术机材条来极构析果染查标样根格案档检模次止正此步死段母每比气水求汤没油治法注活流测海消液深清温源满激炎点热然爷片物特状率玉王环现理生用由"
    "电留略疗疾病症痛白百的皮目直相看真眼着知码确示神离种科积称移程空立站笑符第等签算管米类精系素索红约级线组细经结给统续维网置美老考者而联肉肝肠能脑自至致般色节花药获菜蛋血行表被装西要见观规视觉角解言计订"
    "认让议记许设证评识试话该语误说请读调谢豆象质费贾资走起超越足跟路身车转软较输辣边达过运近还这进远连送适选通速造道那部都配酸里重量金钟钱错键长门问间防阴限院除随难集需非面音项须预领题风食餐饭饮饼香验高鸡"
)
"""The characters that make four fifths of everyday Chinese: a right reading is full of them, and a wrong one is not."""


def mend(text: str) -> str:
    """Read a text again as it was meant, where nobody can have meant what it says now.

    UTF-8 read as a Western, Cyrillic or Mac encoding, once or several times, is left to ftfy; GBK read as Western
    letters and UTF-8 read as GBK are mended where most of the characters that come out are frequent ones.

    Example:
        >>> mend("it\u00e2\u20ac\u2122s"), mend("ÄãºÃ"), mend("浣犲ソ"), mend("Ångström, Ã, 你好")
        ('it’s', '你好', '你好', 'Ångström, Ã, 你好')
    """
    if text.isascii():
        return text
    if _SUSPECT.search(text):
        import ftfy

        if _DENSE.search(text):
            text = _from_western(text)
        text = _CONTROL.sub(_western, ftfy.fix_encoding(text))
    if _HALVED.search(text):
        text = _FOREIGN_RUN.sub(_from_gbk, text)
    return text


def _western(found: re.Match[str]) -> str:
    """The sign that Windows-1252 has where Unicode has a control character; empty where it has none."""
    return found[0].encode("latin-1").decode("cp1252", "ignore")


def _from_western(text: str) -> str:
    """GBK that was read as Latin-1: all runs of Western letters must be pairs of bytes that say frequent characters."""
    try:
        read = [run.encode("latin-1").decode("gb2312") for run in _WESTERN_RUN.findall(text)]
    except UnicodeDecodeError:
        return text
    if not _is_chinese("".join(read)):
        return text
    return _WESTERN_RUN.sub(lambda found: found[0].encode("latin-1").decode("gb2312"), text)


def _from_gbk(found: re.Match[str]) -> str:
    """UTF-8 that was read as GBK; the run itself where its bytes are no UTF-8 or say nothing frequent."""
    run = found[0]
    try:
        read = run.encode("gb18030").decode("utf-8")
    except UnicodeError:
        return run
    return read if len(read) < len(run) and _is_chinese(read) and _frequent(read) > _frequent(run) else run


def _is_chinese(text: str) -> bool:
    """Whether a reading is sure to be right: at least two Chinese characters, half of them or more frequent ones."""
    return len(HAN.findall(text)) >= 2 and _frequent(text) >= 0.5


def _frequent(text: str) -> float:
    """The share of frequent characters among the Chinese ones."""
    han = HAN.findall(text)
    return sum(sign in _FREQUENT for sign in han) / len(han) if han else 0.0
