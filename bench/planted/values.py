"""Invented values of every kind, valid in form and check digits, drawn at run time; none belongs to anybody on purpose.

The forms are public facts: GB 11643 (resident identity numbers), ISO/IEC 7812 (cards), ISO 13616 (IBAN), the numbers
that the United States and Britain set aside for fiction, and the forms of keys that their makers document.
"""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable

Draw = Callable[[random.Random], str]

_WORDS = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "jasper", "kelp", "lotus"]
_GIVEN = ["Agnes", "Benedict", "Clara", "Desmond", "Edith", "Fergus", "Greta", "Hollis", "Imogen", "Jasper", "Keira"]
_LAST = ["Abernathy", "Bellweather", "Carrow", "Delacroix", "Everhart", "Fenwick", "Galloway", "Hathersage"]
_SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙马朱胡郭何林罗高梁郑谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏魏程吕丁沈任姚卢傅钟"
)
_COMPOUND = ("欧阳", "上官", "司马", "诸葛")
_CHARACTERS = "伟芳娜敏静秀丽强磊军洋勇艳杰娟涛明超兰霞平刚桂英华玉萍红鹏飞宇浩欣怡子涵梓轩雨晨思远嘉琪文博"
_AREAS = ("110105", "310115", "440305", "510107", "330106", "320102", "420111", "610113", "210203", "350203")
_PLATES = "京沪粤川浙苏鄂陕辽闽"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def _digits(draw: random.Random, count: int) -> str:
    return "".join(draw.choice(string.digits) for _ in range(count))


def _letters(draw: random.Random, count: int, of: str = string.ascii_letters + string.digits) -> str:
    return "".join(draw.choice(of) for _ in range(count))


def _full_width(text: str) -> str:
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)


def email(draw: random.Random) -> str:
    """An address in a domain that is set aside for examples."""
    one, two = draw.sample(_WORDS, 2)
    user = draw.choice([f"{one}.{two}", f"{one}{draw.randint(1, 999)}", f"{one}_{two}+news", one[0] + two, one.upper()])
    return f"{user}@{draw.choice(['example.com', 'mail.example.org', 'sub.dept.example.net', 'example.com.cn'])}"


def phone_en(draw: random.Random) -> str:
    """A number of those set aside for fiction in the United States, or Britain's for drama."""
    area, last = draw.choice(["202", "303", "415", "617", "718"]), f"01{_digits(draw, 2)}"
    drama = f"7946 0{_digits(draw, 3)}"
    forms = [f"+1 {area}-555-{last}", f"({area}) 555-{last}", f"{area}-555-{last}", f"{area}.555.{last}"]
    return draw.choice([*forms, f"+44 20 {drama}", f"+1{area}555{last}"])


def phone_zh(draw: random.Random) -> str:
    """A Chinese mobile or landline number."""
    head, middle, last = f"1{draw.choice('3456789')}{_digits(draw, 1)}", _digits(draw, 4), _digits(draw, 4)
    if head[:2] == "14":
        head = "14" + draw.choice("5789")
    if head[:2] == "16":
        head = "16" + draw.choice("567")
    mobile = [
        f"{head}{middle}{last}",
        f"{head}-{middle}-{last}",
        f"{head} {middle} {last}",
        f"+86 {head}{middle}{last}",
    ]
    local = f"{draw.choice('25678')}{_digits(draw, 7)}"
    landline = [f"010-{local}", f"(021){local}", f"0755-{local}", f"+86 10 {local}"]
    return draw.choice(
        [*mobile, *mobile, f"+86-{head}-{middle}-{last}", _full_width(f"{head}{middle}{last}"), *landline]
    )


def resident_id(draw: random.Random) -> str:
    """A number of 18 characters with the check character of GB 11643."""
    day = f"{draw.randint(1950, 2009)}{draw.randint(1, 12):02}{draw.randint(1, 28):02}"
    body = draw.choice(_AREAS) + day + _digits(draw, 3)
    check = "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True)) % 11]
    return body + (check.lower() if draw.random() < 0.2 else check)


def card(draw: random.Random) -> str:
    """A card number whose last digit is Luhn's."""
    head = draw.choice(["4", "51", "55", "6011", "622848", "621226"])
    size = 19 if head.startswith("62") and draw.random() < 0.5 else 16
    body = head + _digits(draw, size - 1 - len(head))
    total = sum(sum(divmod(int(digit) * (2 - at % 2), 10)) for at, digit in enumerate(reversed(body)))
    number = body + str(-total % 10)
    parted = [number[at : at + 4] for at in range(0, len(number), 4)]
    return draw.choice([number, " ".join(parted), "-".join(parted)])


def iban(draw: random.Random) -> str:
    """An account number with its two check digits."""
    land, body = draw.choice(
        [
            ("DE", _digits(draw, 18)),
            ("GB", "NWBK" + _digits(draw, 14)),
            ("FR", _digits(draw, 23)),
            ("NL", "ABNA" + _digits(draw, 10)),
        ]
    )
    number = int("".join(str(int(sign, 36)) for sign in f"{body}{land}00"))
    whole = f"{land}{98 - number % 97:02}{body}"
    return draw.choice([whole, " ".join(whole[at : at + 4] for at in range(0, len(whole), 4))])


def ip(draw: random.Random) -> str:
    """An address of the ranges for documentation, or a private one."""
    last = draw.randint(1, 254)
    return draw.choice(
        [f"192.0.2.{last}", f"198.51.100.{last}", f"203.0.113.{last}", f"10.{last}.4.7", f"2001:db8::{last:x}:{last:x}"]
    )


def mac(draw: random.Random) -> str:
    """The address of a network card."""
    return draw.choice([":", "-"]).join(_letters(draw, 2, "0123456789ABCDEF") for _ in range(6))


def ssn(draw: random.Random) -> str:
    """A social security number."""
    return f"{draw.randint(100, 665)}-{draw.randint(10, 99)}-{draw.randint(1000, 9999)}"


def passport(draw: random.Random) -> str:
    """A Chinese passport number."""
    return draw.choice(
        ["E" + _digits(draw, 8), "G" + _digits(draw, 8), "E" + draw.choice("ABCDEFGH") + _digits(draw, 7)]
    )


def plate(draw: random.Random) -> str:
    """A Chinese licence plate, of an engine or of electricity."""
    tail = list(_digits(draw, 5))
    for at in draw.sample(range(5), draw.randint(0, 2)):  # of five signs at most two are letters
        tail[at] = draw.choice("ABCDEFGHJKLMNPQRSTUVWXYZ")
    head = draw.choice(_PLATES) + draw.choice("ABCDEF")
    return draw.choice([f"{head}{''.join(tail)}", f"{head}·{''.join(tail)}", f"{head}D{_digits(draw, 5)}"])


def name_en(draw: random.Random) -> str:
    """A given name and a surname."""
    middle = draw.choice(["", "", f" {draw.choice(string.ascii_uppercase)}."])
    return f"{draw.choice(_GIVEN)}{middle} {draw.choice(_LAST)}"


def name_zh(draw: random.Random) -> str:
    """A surname and one or two given characters."""
    surname = draw.choice(_COMPOUND) if draw.random() < 0.08 else draw.choice(_SURNAMES)
    return surname + "".join(draw.sample(_CHARACTERS, draw.choice([1, 2, 2])))


def address_en(draw: random.Random) -> str:
    """A street address with town, state and ZIP code."""
    street = f"{draw.choice(_WORDS).title()} {draw.choice(['Street', 'Avenue', 'Road', 'Lane', 'Blvd', 'Drive'])}"
    unit = draw.choice(["", f", Apt {draw.randint(1, 40)}{draw.choice('ABC')}", f", Suite {draw.randint(100, 900)}"])
    town = draw.choice(["Fairview, OH 44126", "Riverton, NJ 08077", "Lakewood, CO 80214", "Salem, OR 97301"])
    return f"{draw.randint(11, 9899)} {street}{unit}, {town}"


def address_zh(draw: random.Random) -> str:
    """An address down to the door."""
    town = draw.choice(
        ["浙江省杭州市西湖区", "北京市朝阳区", "上海市浦东新区", "广东省深圳市南山区", "四川省成都市武侯区"]
    )
    street = draw.choice(["文三路", "建国路", "世纪大道", "科苑南路", "人民南路四段"])
    home = draw.choice(["幢{}单元{}室", "号楼{}层{}室", "栋{}单元{}号"])
    return f"{town}{street}{draw.randint(1, 999)}号{draw.randint(1, 30)}" + home.format(
        draw.randint(1, 6), draw.randint(101, 2005)
    )


def birth_date(draw: random.Random) -> str:
    """A day, written in one of the usual ways."""
    year, month, day = draw.randint(1945, 2010), draw.randint(1, 12), draw.randint(1, 28)
    months = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ]
    return draw.choice(
        [f"{year}-{month:02}-{day:02}", f"{day} {months[month - 1]} {year}", f"{months[month - 1]} {day}, {year}"]
    )


def birth_date_zh(draw: random.Random) -> str:
    """A day in Chinese."""
    year, month, day = draw.randint(1945, 2010), draw.randint(1, 12), draw.randint(1, 28)
    return draw.choice([f"{year}年{month}月{day}日", f"{year}-{month:02}-{day:02}"])


def _token(draw: random.Random) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    head, body = {"alg": "HS256", "typ": "JWT"}, {"sub": _digits(draw, 10), "iat": draw.randint(10**9, 2 * 10**9)}
    return f"{part(head)}.{part(body)}.{_letters(draw, 43)}"


def _pem(draw: random.Random) -> str:
    lines = "\n".join(_letters(draw, 64, string.ascii_letters + string.digits + "+/") for _ in range(3))
    kind = draw.choice(["RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "EC PRIVATE KEY"])
    return f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----"


_UPPER = string.ascii_uppercase + string.digits
SECRETS: dict[str, Draw] = {
    "aws": lambda d: "AKIA" + _letters(d, 16, string.ascii_uppercase + "234567"),
    "github": lambda d: d.choice([f"ghp_{_letters(d, 36)}", f"github_pat_{_letters(d, 22)}_{_letters(d, 59)}"]),
    "gitlab": lambda d: f"glpat-{_letters(d, 20)}",
    "slack": lambda d: f"xoxb-{_digits(d, 12)}-{_digits(d, 13)}-{_letters(d, 24)}",
    "stripe": lambda d: f"sk_live_{_letters(d, 24)}",
    "google": lambda d: f"AIza{_letters(d, 35)}",
    "openai": lambda d: f"sk-proj-{_letters(d, 48)}",
    "anthropic": lambda d: f"sk-ant-api03-{_letters(d, 93)}AA",
    "hugging_face": lambda d: f"hf_{_letters(d, 34, string.ascii_letters)}",
    "npm": lambda d: f"npm_{_letters(d, 36)}",
    "pypi": lambda d: f"pypi-AgEIcHlwaS5vcmc{_letters(d, 120)}",
    "sendgrid": lambda d: f"SG.{_letters(d, 22)}.{_letters(d, 43)}",
    "aliyun": lambda d: f"LTAI5t{_letters(d, 18)}",
    "tencent": lambda d: f"AKID{_letters(d, 32)}",
    "jwt": _token,
    "private_key": _pem,
}
"""Keys by their maker; each is random."""
