"""Postal addresses in Chinese text: from the widest region that is named down to road and house, or village."""

from __future__ import annotations

import re

_CITIES = "北京|上海|天津|重庆"
_PROVINCES = (
    "河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州|云南|陕西|甘肃|青海|台湾"
    "|内蒙古|广西|西藏|宁夏|新疆|香港|澳门"
)
_HAN = "\u4e00-\u9fff"
_STOP = "在于住是到至往从的了我你他她它们址为寄送和与及去来见有请把被将也就说称市区县"
_PIECE = f"(?:(?![{_STOP}])[{_HAN}])"
_REGION = (
    rf"(?:(?:{_CITIES}|{_PROVINCES})(?:省|市|(?:壮族|回族|维吾尔)?自治区|特别行政区)?"
    rf"|市[中南北]区|{_PIECE}{{1,7}}?(?:自治[州县]|地区|新区|开发区|高新区|园区|市|区|县|旗|盟)"
    rf"|{_PIECE}{{1,6}}?(?:街道办事处|街道|镇|乡))"
)
_ROAD = (
    rf"(?:(?:{_PIECE}|[A-Za-z\d一二三四五六七八九十]){{1,8}}?"
    "(?:大街|大道|胡同|公路|环路|路|街|道|巷|弄|里|村|屯|庄|小区|社区|花园|家园|新村|公寓|大厦|广场|苑|园|城|府|湾|居|庭|阁|大院|中心|国际)"
    "(?:[东南西北中][路段街里区]?)?(?:[一二三四五六七八九十\\d]{1,3}[段区期巷组])?)"
)
_PLACE = (
    rf"(?:(?:{_PIECE}|[A-Za-z\d一二三四五六七八九十]){{1,8}}?"
    "(?:大街|大道|胡同|公路|路|街|巷|村|屯|小区|花园|家园|新村|公寓|苑)(?:小区|[东南西北中][路段街])?)"
)
_DIGIT = r"[\d一二三四五六七八九十百零〇A-Za-z甲乙丙丁]"
_HOUSE = (
    rf"(?:(?:第|附)?{_DIGIT}{{1,6}}(?:[-－—之]{_DIGIT}{{1,5}}){{0,3}}"
    "(?:号楼|号院|号|弄|支弄|栋|幢|座|单元|室|层|楼|房|户|门|组|期|区)"
    "(?!线|文|令|机|选手|球|台风|馆|公告|文件|人|船|卫星|车|元|年)|[东西南北][座楼单]元?)"
)
_HYPHENED = r"(?:[A-Za-z]?\d{1,4}(?:[-－]\d{1,5}){1,3}(?![\d.%])号?)"
_END = rf"(?:[\s]?{_DIGIT}{{1,4}}(?:[-－]{_DIGIT}{{1,4}}){{1,3}}|[\s]?\d{{3,4}}(?!\d|[\d.,，]*[元年月日个人名万%]))"
_ADDRESS = re.compile(
    rf"(?P<regions>(?:{_REGION}[\s,，]?){{0,5}})(?P<roads>(?:{_ROAD}[\s,，]?){{0,4}}?)(?P<house>(?:{_HOUSE}[\s,，]?)+(?:{_ROAD}?(?:{_HOUSE}[\s]?)+)?{_END}?)"
    rf"|(?P<wide>(?:{_REGION}){{1,5}})(?P<places>(?:{_PLACE}){{1,2}}{_HYPHENED}?)"
    rf"|(?P<only>(?:{_REGION}){{2,5}})"
)
_LABEL = re.compile(
    r"(?:(?:地址|住址|住所|籍贯|户籍|所在地|家住|住在|居住在|居住于|现住|住于|寄到|寄往|送到|送至|收货地|位于|搬到|老家在|租住在)(?:是|为|在|于|改为|改成)?\s?[:：]?\s?)$"
)
_START = re.compile(rf"{_CITIES}|{_PROVINCES}")
_HINT = re.compile(
    rf"{_DIGIT}(?:号|弄|栋|幢|座|单元|室|层|楼|房|户)|[省市区县旗镇乡][{_HAN}]{{1,12}}?[路街巷村屯区园寓苑同道]|址|籍|住|寄|[京津沪渝海][{_HAN}]{{1,8}}路"
)


def addresses(text: str) -> list[tuple[int, int, bool]]:
    """Find addresses that lead to a home or a house: a road and a number, or a village or road within a region.

    A bare place (``台湾``, ``北京市``) is no address; two regions in a row are one where a label says so (``住址：``).

    Args:
        text: Any text; only its Chinese characters and digits are looked at.

    Returns:
        Start, end, and whether a house is named, in order.
    """
    if not _HINT.search(text):
        return []
    found = []
    for match in _ADDRESS.finditer(text):
        start, end = match.span()
        labelled = _LABEL.search(text, max(0, start - 12), start) is not None
        named = _START.search(text, start, end)
        if named is not None and not labelled:
            start = named.start() if match["house"] is None or named.start() < match.start("house") else start
        end = start + len(text[start:end].rstrip(" ,，\n\t"))
        if match["only"] is not None and not labelled:
            continue
        if match["house"] is not None and not (match["regions"] or match["roads"]):
            continue
        if match["wide"] is not None and not labelled and named is None and not _is_region(match["wide"]):
            continue
        found.append((start, end, match["house"] is not None))
    return found


def _is_region(text: str) -> bool:
    return len(re.findall("[省市区县镇乡旗]", text)) > 1
