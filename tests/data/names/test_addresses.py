"""Postal addresses: whole, over lines, and not every place or number."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.data.detectors.address import Address


def taken(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sorted(Address().find(text))]


@pytest.mark.parametrize(
    "line",
    [
        "I live at {221 Cedar Avenue, Springfield, IL 62704}.",
        "Ship it to {P.O. Box 1234, Springfield, IL 62704} please",
        "My address is {14 Birch Lane, Flat 3, Leeds LS1 4AP}",
        "Billing address: {500 5th Avenue Suite 300, New York, NY 10110}",
        "{1600 Oak Street\nApt 5B\nDenver, CO 80202}",
        "She lives on {Hauptstraße 12, 10115 Berlin}.",
        "Rechnung an {Musterweg 7a, 80331 München}",
        "mon adresse: {12 rue de la Paix, 75002 Paris}",
        "Vive en {Calle Mayor 45, Madrid}",
        "Write to {PSC 1234, Box 5678\nAPO AE 09021}",
        "Ship to {908 Cedar Road, Miami, FL 33101-4321}, thanks",
        "He moved to {85 rue de la Paix, 75002 Paris} last year",
        "The parcel goes to {129 Main Street, Salt Lake City, UT 84101}.",
        "I live at {118 Kings Crescent, London M1 1AE}.",
        "Our office ({5475 Broadway, Suite 200}) is closed, so is {7892 2nd Street}.",
        "The house at {Lindenweg 17, 59030 Musterstadt} is for sale",
        "address={1851 Oak Avenue}",
        "Return it to {83 Alder Creek, Denver, CO 80202} or {3482 Via Franscini 71, Suite 838}.",
        "家住{山东省青岛市市南区人民大道45号3单元2103室}。",
        "请送到{广东省深圳市南山区阳光花园6-2-851}，谢谢，再去{天津市河西区翠苑小区26-1-899}",
        "收货地址：{上海市浦东新区张江镇科苑路1500弄12号602室}。",
        "家庭住址：{广东省广州市天河区体育西路103号维多利广场B座2301}",
        "寄到{浙江省宁波市鄞州区中山东路181号}谢谢",
        "{江苏省无锡市江阴市澄江街道虹桥北路2号3幢502室}",
        "她住在{河北省保定市清苑区李庄村}",
        "我家在{福州市鼓楼区五四路89号}。",
        "住址：{江苏省苏州市工业园区}",
        "请寄到{四川省成都市武侯区人民南路四段27号商鼎国际2栋1单元1903}",
    ],
)
def test_addresses_are_found_whole(line: str) -> None:
    assert taken(re.sub("[{}]", "", line)) == re.findall(r"\{([^}]*)\}", line)


@pytest.mark.parametrize(
    "text",
    [
        "We walked 5 miles down Broadway. 100 Best Places in Paris, France",
        "The 41 Broadway shows of 2019",
        "He owns 3 Apple Computers and 12 Red Roses.",
        "During 1971, Spring 2021, Chapter 4",
        "台湾和北京市都很好，我去过上海市浦东新区",
        "第3号台风登陆，国发12号文件，地铁10号线开通，1号选手",
        "人生的道路上有很多困难，城市道路建设，100号元素",
        "这条路我走了3年，在第2单元学习了5个单词",
        "",
    ],
)
def test_places_and_numbers_are_no_addresses(text: str) -> None:
    assert taken(text) == []


@given(st.text(alphabet=st.sampled_from("12 省市区路号室村住址Main St.,\nABox")))
def test_spans_lie_in_the_text_and_apart(text: str) -> None:
    end = 0
    for start, stop in sorted((span.start, span.end) for span in Address().find(text)):
        assert 0 <= start < stop <= len(text)
        end = max(end, stop)
