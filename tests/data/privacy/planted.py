"""Invented personal data and secrets of every kind, and what looks like them but is none; all drawn from a seed."""

from __future__ import annotations

import string
from random import Random

from tuneloop.data.detectors._sums import luhn, resident_check

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def some(random: Random, signs: str, count: int) -> str:
    return "".join(random.choice(signs) for _ in range(count))


def digits(random: Random, count: int) -> str:
    return some(random, string.digits, count)


def with_luhn(number: str) -> str:
    return next(number + check for check in string.digits if luhn(number + check))


def email(random: Random) -> str:
    first, last = (
        random.choice(["ann", "bo", "chen.wei", "D.Müller", "o'neil", "li_na"]),
        random.choice(["", "99", "-x", "+news"]),
    )
    host = random.choice(
        ["example.com", "mail.example.org", "example.com.cn", "sub-domain.example.net", "bücher.example"]
    )
    return f"{first}{last}@{host}"


def phone(random: Random) -> str:
    mobile = f"1{random.choice('3456789')}{digits(random, 9)}"
    local = f"{random.choice('2345678')}{digits(random, 7)}"
    area = random.choice(["010", "021", "0755", "0571"])
    us = (f"{random.randint(201, 989)}", "555", f"01{digits(random, 2)}")
    return random.choice(
        [
            mobile,
            f"{mobile[:3]} {mobile[3:7]} {mobile[7:]}",
            f"{mobile[:3]}-{mobile[3:7]}-{mobile[7:]}",
            f"+86 {mobile}",
            f"+86-{mobile[:3]}-{mobile[3:7]}-{mobile[7:]}",
            f"0086{mobile}",
            f"{area}-{local}",
            f"({area}){local}",
            f"{area} {local[:4]} {local[4:]}",
            f"{area}-{local}-{digits(random, 3)}",
            f"400-{digits(random, 3)}-{digits(random, 4)}",
            "({}) {}-{}".format(*us),
            "{}-{}-{}".format(*us),
            "+1 {} {} {}".format(*us),
            "{}.{}.{}".format(*us),
            f"+44 20 7946 0{digits(random, 3)}",
            f"07700 900{digits(random, 3)}",
            f"+49 30 {digits(random, 8)}",
            f"+33 1 99 00 {digits(random, 2)} {digits(random, 2)}",
            f"+81-90-{digits(random, 4)}-{digits(random, 4)}",
        ]
    )


def resident_id(random: Random) -> str:
    area = random.choice(["110101", "310115", "440305", "510104", "330106", "650102"])
    born = f"{random.randint(1940, 2020)}{random.randint(1, 12):02d}{random.randint(1, 28):02d}"
    number = area + born + digits(random, 3)
    number += resident_check(number)
    return random.choice([number, number, number.lower(), f"{number[:6]} {number[6:14]} {number[14:]}"])


def card(random: Random) -> str:
    start, length = random.choice(
        [
            ("4", 16),
            ("51", 16),
            ("55", 16),
            ("2223", 16),
            ("34", 15),
            ("37", 15),
            ("6011", 16),
            ("62", 16),
            ("6228", 19),
            ("35", 16),
            ("36", 14),
        ]
    )
    number = with_luhn(start + digits(random, length - len(start) - 1))
    sign = random.choice(["", " ", "-"])
    return sign.join(number[at : at + 4] for at in range(0, length, 4)) if length in (16, 19) else number


def iban(random: Random) -> str:
    country, body = random.choice(
        [
            ("DE", digits(random, 18)),
            ("GB", "TEST" + digits(random, 14)),
            ("FR", digits(random, 10) + some(random, string.ascii_uppercase, 11) + digits(random, 2)),
            ("NO", digits(random, 11)),
        ]
    )
    rest = int("".join(str(int(sign, 36)) for sign in body + country + "00")) % 97
    whole = f"{country}{98 - rest:02d}{body}"
    return whole if random.random() < 0.5 else " ".join(whole[at : at + 4] for at in range(0, len(whole), 4))


def ip(random: Random) -> str:
    start = random.choice(["192.0.2.", "198.51.100.", "203.0.113.", "10.20.30."])
    return random.choice(
        [
            f"{start}{random.randint(10, 250)}",
            f"2001:db8::{some(random, HEX[1:], 4)}:{some(random, HEX[1:], 3)}",
            "2001:db8:" + ":".join(some(random, HEX[1:], 4) for _ in range(6)),
        ]
    )


def mac(random: Random) -> str:
    return random.choice(":-").join(["3c", *(some(random, HEX, 2) for _ in range(4)), "a" + some(random, HEX, 1)])


def licence_plate(random: Random) -> str:
    place = random.choice("京沪粤川浙") + random.choice("ABCDE")
    return random.choice(
        [
            f"{place}{some(random, 'ABCDEFGHJK0123456789', 3)}{digits(random, 2)}",
            f"{place}D{digits(random, 5)}",
            f"{place}·{digits(random, 5)}",
        ]
    )


def us_ssn(random: Random) -> str:
    return f"{random.randint(100, 665)}-{random.randint(10, 99)}-{random.randint(1000, 9999)}"


def passport(random: Random) -> str:
    return random.choice("EGE") + digits(random, 8)


def api_key(random: Random) -> str:
    def letters(count: int) -> str:
        return some(random, ALNUM, count - 2) + "7" + random.choice("xQ")

    return random.choice(
        [
            "AKIA" + some(random, string.ascii_uppercase + "234567", 14) + "7Q",
            "ghp_" + letters(36),
            "github_pat_" + letters(22) + "_" + letters(59),
            "glpat-" + letters(20),
            "xoxb-" + digits(random, 12) + "-" + digits(random, 12) + "-" + letters(24),
            "sk_live_" + letters(24),
            "AIza" + letters(35),
            "sk-" + letters(48),
            "sk-proj-" + letters(60),
            "sk-ant-api03-" + letters(90),
            "hf_" + some(random, string.ascii_letters, 34),
            "npm_" + letters(36),
            "pypi-AgEIcHlwaS5vcmc" + letters(80),
            "SG." + letters(22) + "." + letters(43),
            "SK" + some(random, HEX, 31) + "7",
            digits(random, 10) + ":AA" + letters(33),
            "LTAI5t" + letters(18),
            "AKID" + letters(32),
        ]
    )


def jwt(random: Random) -> str:
    return f"eyJ{some(random, ALNUM, 17)}.eyJ{some(random, ALNUM, 40)}.{some(random, ALNUM + '-_', 43)}"


def private_key(random: Random) -> str:
    kind = random.choice(["RSA ", "EC ", "", "OPENSSH "])
    lines = "\n".join(some(random, ALNUM + "+/", 64) for _ in range(3))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"


def nothing(random: Random) -> str:
    """What must stay as it is."""
    year = random.randint(1990, 2030)
    return random.choice(
        [
            f"order number {digits(random, 12)}",
            f"订单号{digits(random, 16)}",
            f"ISBN 978-7-{digits(random, 3)}-{digits(random, 5)}-{digits(random, 1)}",
            f"version {random.randint(1, 9)}.{digits(random, 1)}.{random.randint(10, 99)}.{random.randint(10, 99)}",
            f"{year}-{random.randint(10, 12)}-{random.randint(10, 28)} {random.randint(10, 23)}:59:00",
            f"{year}年{random.randint(1, 12)}月{random.randint(1, 28)}日",
            f"${random.randint(1, 999)},{digits(random, 3)},{digits(random, 3)}.{digits(random, 2)}",
            f"{random.randint(1000, 9999)} × {random.randint(1000, 9999)} = {random.randint(10**7, 10**8)}",
            f"sha256 {some(random, HEX, 64)}",
            "-".join(some(random, HEX, count) for count in (8, 4, 4, 4, 12)),
            f"运单号 SF{digits(random, 12)}",
            f"3.{digits(random, 15)}",
            f"共{random.randint(10**7, 10**10)}元",
            f"@{some(random, string.ascii_lowercase, 8)} said hi",
            "icon@2x.png",
            f"git@github.com:team/{some(random, HEX, 6)}.git",
            f"commit {some(random, HEX, 40)}",
            f"tracking {digits(random, 22)}",
            f"pages {random.randint(100, 400)}-{random.randint(401, 900)}",
            "http://127.0.0.1:8080/index.html",
            f"x[{random.randint(1, 9)}::2] and std::vector<int>",
            "password = getpass.getpass()",
            "api_key = os.environ['API_KEY']",
            f"{random.randint(1, 12)}:{random.randint(10, 59)}:{random.randint(10, 59)}",
            f"批号{year}{digits(random, 8)}",
        ]
    )


KINDS = {
    made.__name__: made
    for made in (
        email,
        phone,
        resident_id,
        card,
        iban,
        ip,
        mac,
        licence_plate,
        us_ssn,
        passport,
        api_key,
        jwt,
        private_key,
    )
}
AROUND = [
    ("", ""),
    ("my {} is ", " thanks"),
    ("联系", "。谢谢"),
    ("信息：", "，请查收"),
    ("(", ")"),
    ('{{"value": "', '"}}'),
    ("**", "**"),
    ("请记录", "的内容"),
    ("line\n", "\nnext"),
    ("a, ", ", b"),
    ("“", "”"),
    ("<b>", "</b>"),
    ("见", ";"),
]
