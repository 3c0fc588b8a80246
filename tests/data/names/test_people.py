"""Names of people: found whole, with nothing beside them; words, places and well-known people stay."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.data.detectors.person import Person

PLANTED = """
My name is {Olivia Hartwell} and I need help.
Hi, this is {Tomás Echeverría} from accounting.
Dear Mr. {Rutherford}, thank you for your letter.
Please call {Priya Raman} at 555-0134.
Name: {Wilhelmina Oduya}
I spoke with Dr. {Samuel Okonjo} yesterday.
{Marcus Delgado-Reyes} lives at 14 Birch Lane.
The contract was signed by {J. R. Castellan}.
Contact {Siobhan O'Malley} for details.
{Ludwig van Aalst} is our new manager.
Send it to {Mary-Jane Whitcombe}'s office.
Employee {Kwabena Asiedu} was promoted.
From: {Elena Petrova} <elena@example.com>
Is {Anna Kowalczyk} there? Ask {Peter Novak}.
{LINDA MARTINEZ} has paid.
customer {Fatima al-Hassan} called twice
My wife {Jennifer} and I moved.
Ask for {Robert Miller Jr.} or {John Hartwell III} there
my name is {anna miller} and
We met {Park Ji-woo}, {Kim Min-jun}, {Bong Joon-Ho} and {Ji-woo Park} there
I spoke with {Mohammed Al-Farsi} last week.
Name: {Brown, Lisa}
we hired {Anderson, Jennifer} in May
Patient: {Jackson, William M.}
"full_name": "{Priyanka Venkataraman}"
The deal was signed by {Barbara A. Brown} in March.
{Tran Thi Lan} and {Le Quang Huy} came late.
我叫{王小明}，今年三十岁。
联系人：{李思雨}，电话13800000000
{张伟}的手机号是13900000000
请把快递寄给{陈晓东}，谢谢。
收件人：{欧阳文静}
姓名:{赵一凡} 性别:女
{孙丽华}女士您好
我和{周杰}一起去上海出差
负责人是{吴志强}经理
客户{徐海燕}来电投诉{马超}的服务态度
班主任{何雪梅}老师通知家长
{林子轩}、{郑雨桐}和{谢宇航}获得一等奖
爸爸{冯国庆}，妈妈{曹秀兰}
作者是{安娜·贝克尔}先生
""".strip().splitlines()


def taken(text: str, **options: bool) -> list[str]:
    return [text[span.start : span.end] for span in sorted(Person(**options).find(text))]


@pytest.mark.parametrize("line", PLANTED)
def test_names_are_found_to_the_character(line: str) -> None:
    assert taken(re.sub("[{}]", "", line)) == re.findall(r"\{([^}]*)\}", line)


@pytest.mark.parametrize(
    "text",
    [
        "In April and May we go to Paris with Chase bank.",
        "The Grand Canyon and New York City are in the United States.",
        "Machine Learning and Natural Language Processing are fields.",
        "The Eiffel Tower, Mount Everest, Lake Victoria, Jordan River",
        "San Francisco Giants beat Los Angeles Dodgers",
        "Dear Sir or Madam, Dear Customer Service, Dear Hiring Manager,",
        "Black Friday, Red Cross, White House, Supreme Court, Lincoln Park",
        "A To-Do list, a Yo-yo, Wi-fi at home, the El-Niño year. Paris, Victoria and Brown, Green, Lisa",
        "Step One: Preheat the oven. Step Two: Mix Flour.",
        "我今天很高兴，周末方便的时候和你一起去安全的地方。",
        "石头和金子，白天和黑夜，江水和高山，马上就到。",
        "王国的国王张开了口，成功地任命了新的大臣。",
        "于是他就从高处看到黄河和长江，何时何地都可以。",
        "方程的解是多少？万一不行，那就算了。时间复杂度是常数。",
        "温度、高度、程度、水平、金额、任务、宣传、严格、白色",
        "",
    ],
)
def test_words_and_places_are_no_names(text: str) -> None:
    assert taken(text) == []


@pytest.mark.parametrize("name", ["Marie Curie", "Ludwig van Beethoven", "诸葛亮", "查尔斯·狄更斯"])
def test_well_known_people_stay_unless_they_are_asked_for(name: str) -> None:
    text = f"a book about {name} / 关于{name}的书"
    assert taken(text) == []
    assert name in taken(text, public_figures=True)


def test_given_names_alone_stay_unless_they_are_asked_for() -> None:
    text = "Natalia sold clips to 48 of her friends in April."
    assert taken(text) == []
    assert taken(text, given_names=True) == ["Natalia"]


def test_a_name_that_stood_there_in_full_is_known_again_in_part() -> None:
    assert taken("Anna Miller came late. The bus, said Miller, was full.") == ["Anna Miller", "Miller"]


@given(st.text(alphabet=st.sampled_from("王李小明红和的是 .,:·《》AnnLee'-\nDr")))
def test_spans_lie_in_the_text_and_apart(text: str) -> None:
    end = 0
    for span in sorted(Person(given_names=True, public_figures=True).find(text)):
        assert end <= span.start < span.end <= len(text)
        end = span.end
