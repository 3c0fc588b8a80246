"""Detectors find their kind to the character, in English and Chinese, and leave what only looks like it."""

from __future__ import annotations

import itertools
import re
import time
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.privacy.planted import KINDS

from tuneloop.data.detectors import Detector
from tuneloop.data.privacy.finder import Finder
from tuneloop.data.privacy.kinds import kinds_of
from tuneloop.parts import find

STRUCTURED = [find(Detector, name)() for name in (*KINDS, "url_login", "crypto_wallet", "bearer_token", "password")]
ALL = Finder(STRUCTURED)


def marked(text: str, called: str = "") -> str:
    """The text with every find between brackets, behind its kind."""
    for span in reversed(ALL.spans(text, called)):
        text = f"{text[: span.start]}<{span.kind}|{text[span.start : span.end]}>{text[span.end :]}"
    return text


@pytest.mark.parametrize(
    "text",
    [
        "写信给<email|ann.lee@example.com>谢谢",
        "<email|ann@example.com>.Next sentence",
        "'<email|ann@example.com>', f'<email|bo@example.org>'",
        "mailto:<email|ann@example.com>?subject=hi&cc=<email|bo@example.org>",
        "[<email|o'neil@example.com>](x) **<email|a_b+c@example.co.uk>**",
        "_<email|ann@example.com>_ <<email|ann@example.com>>",
        "body: line\\n<email|ann@example.com>\\nend",
        "ann <email|müller@bücher.example> to=<email|ann%40example.com>",
        "ＭＡＩＬ：<email|ａｎｎ＠ｅｘａｍｐｌｅ．ｃｏｍ>。",
        "电话<phone|13800138000>或<phone|138-0013-8000>，<phone|138 0013 8000>；<phone|+86 138 0013 8000>",
        "电话：<phone|１３８００１３８０００>",
        "<phone|13800138000>,<phone|13900139000>/<phone|13700137000>、<phone|13600136000>",
        "座机<phone|010-62345678>，<phone|(0755)8234 5678>，<phone|021 6234 5678>转分机，<phone|0571-82345678-801>",
        "<phone|010-62345678转801> <phone|400-810-1234>",
        "call <phone|(555) 555-0123> or <phone|555-555-0123 ext. 45>, <phone|+1 555 555 0123>, <phone|555.555.0123>.",
        "<phone|+44 20 7946 0958>; <phone|07700 900123>; <phone|+33 1 99 00 12 34>; <phone|0033 1 99 00 12 34>",
        "My number is <phone|467 3395> and hers <phone|555 0123>",
        "身份证号<resident_id|11010519491231002X>，",
        "身份证:<resident_id|110105 19491231 002x>",
        "身份证号码<resident_id|110105491231002>",
        "香港身份证<resident_id|A123456(3)> 台湾<resident_id|A123456789>",
        "卡号<card|4111 1111 1111 1111>。",
        "cards <card|4111111111111111>, <card|5555-5555-5555-4444>, amex <card|3782 822463 10005>",
        "<iban|GB82 WEST 1234 5698 7654 32> <iban|DE89370400440532013000>好",
        "ip <ip|192.0.2.17>:8080, <ip|2001:db8::8a2e:370:7334>/64 服务器：<ip|2001:db8::1>，DNS server <ip|1.1.1.1>",
        "MAC:<mac|3c:52:82:0a:4f:11> <mac|3C-52-82-0A-4F-11> <mac|3c52.820a.4f11>",
        "车牌<licence_plate|京A12345>、<licence_plate|沪AD12345>，<licence_plate|粤B·1234学>",
        "plate number: <licence_plate|ABC-1234>",
        "ssn <us_ssn|536-22-1234>, social security number <us_ssn|536 22 1234>",
        "护照号码<passport|E12345678>，passport no. <passport|123456789>",
        "postgres://<url_login|ann:Zk3vQ9w>@db.example.org:5432/shop",
        "<crypto_wallet|bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4>",
        "Authorization: Bearer <bearer_token|9fX2kQ7vLm3Rt8Zc>",
        'DB_PASSWORD="<password|Zk3!vQ9w>" 密码：<password|abc12345>，password: <password|hunter22>',
        'api_secret: "<password|9fX2kQ7vLm3Rt8ZcB1>"',
        "password: <password|u9va%wok2O>, Pwd=<password|bQ7&xx!k2>;Database=x&user=ann",
        "?password=<password|abc12345>&user=ann",
        "<password><password|yyxo6Hkn0></password> --password <password|FjU8tZ9T9> and password '<password|hunter22>'",
        "my password for the printer is <password|Abc12345!>, my old password was changed to <password|Zk3vQ9w7>",
        "pw: <password|mima888>, Passwort: <password|woaini1314>, DB_PASS=<password|UpuCR%BCk9>",
        "WiFi密码 <password|JA4umuFko58>，密码“<password|iloveyou2>”",
        "密码已经改成<password|zhang1990!>，密码：<password|abc12345>！",
        "mysql -u root -p<password|Abc123456> shop; curl -u ann:<password|Zk3vQ9w7> host",
        "IDENTIFIED BY '<password|Zk3vQ9w7>'",
        "<phone|0086-991-6300601>/<phone|020-4986-9091>",
        "<phone|+86 371 23910194>/<phone|028-89905047转893>/<phone|400-620-5106>",
        "Tel. <phone|030 / 23987299>",
        "row 164 <phone|13812345678>, room 181 <phone|(212) 555-0112>, 17 <phone|+86 13812345678> 42",
        "<phone|+86-10-62345678> 3 times, <phone|+49 (0)151 23459032>（2）, <phone|001 437 555 0103>（2）",
        "2024-05-06 12:00:00,<phone|13812345678>,ok,12,<phone|138.1234.5678>,34,<phone|243-555-0123>",
        "①<phone|13812345678> ②<resident_id|11010519491231002X>③<email|ann@example.com>",
        "passport no. <passport|12AB34567>, Passport: <passport|C01X00T47>",
    ],
)
def test_finds_are_exact(text: str) -> None:
    plain = re.sub(r"<(?:[a-z_]+)\|([^>]*)>", r"\1", text)
    assert marked(plain) == text


@pytest.mark.parametrize(
    "text",
    [
        "订单号13800138000，order 13812345678, 运单号 SF1380013800012",
        "version 10.2.3.4, v1.22.333.4, 第1.2.3.4节, 1.2.3.4",
        "550e8400-e29b-41d4-a716-446655440000",
        "pi is 3.141592653589793, 0.13800138000",
        "2024-01-02 12:30:45 01/02/2024 20240102 1999-2024",
        "4111111111111112 and 41111111111111111111111",
        "11010519491231002X1 110105194912310021",
        "ISBN 978-7-115-12345-6, 7-115-12345-6",
        "12345678 × 87654321 = 1082152022374638, 8000-6400 = 1600",
        "icon@2x.png @app.route git@github.com:a/b.git npm i pkg@1.2.3",
        "127.0.0.1 0.0.0.0 255.255.255.0 ::1",
        "a[1::2], std::vector, 12:30:45",
        "{{name}} {email} <PHONE> [EMAIL] [PHONE:ab2cd3ef] +999 12345 67890 user-abcdefghij@redacted.invalid",
        "password = input('Password: '), password: str, token = os.environ['TOKEN'], max_tokens: 2048",
        "api_key=YOUR_API_KEY sk-xxxxxxxxxxxxxxxxxxxxxxxx https://${USER}:${PASSWORD}@host/",
        "sums of 1,234,567,890 and 12,345.678, 3,138.4567",
        "666-12-3456 000-12-3456 900-12-3456 pages 100-200",
        "价格13800138000元，¥13800138000，$4,111,111,111",
        "开奖结果 14 22 02 27 16 48，中奖号码：37 31 39 36 45 03. Lottery: 32 46 02 12 19 34",
        "升级到5.15.0.91版本, Chrome/12.15.10.91",
        "password sha256_crypt, password 8-character minimum, pass it to worker2 over",
        "密码SHA256加密, password 12digits",
        "the api key expires in 2027-01-01T00:00, a passport C0MPLETELY",
    ],
)
def test_what_only_looks_alike_stays(text: str) -> None:
    assert marked(text) == text


def test_the_name_of_a_column_helps() -> None:
    assert marked("467 3395") == "467 3395"
    assert marked("467 3395", "phone_number") == "<phone|467 3395>"


@pytest.mark.parametrize("kind", KINDS)
def test_a_doubled_or_lengthened_number_is_not_found_by_halves(kind: str) -> None:
    random = Random(3)
    for _ in range(50):
        value = KINDS[kind](random)
        for span in ALL.spans(f"7{value}7" if value[0].isdigit() and value[-1].isdigit() else f"x{value}y"):
            assert not (value in ("", span) and span.end - span.start < len(value) // 2)


PIECES = st.sampled_from(
    [
        "@",
        ".",
        "-",
        " ",
        "1",
        "13800138000",
        "ann@example.com",
        "4111 1111 1111 1111",
        "电话",
        ":",
        "password=",
        "'",
        "\\n",
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=14).map("".join)))
def test_spans_are_inside_apart_and_gone_after_masking(text: str) -> None:
    spans = ALL.spans(text)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(one.end <= other.start for one, other in itertools.pairwise(spans))
    masked = ALL.replaced(text, lambda span, value: f"[{span.kind.upper()}]")
    assert ALL.spans(masked) == []
    if not spans:
        assert masked == text


ADVERSARIAL = [
    *("password to log in " * 200, "密码已经更新成" * 300, "mysql -u root " * 200, "curl -u ann" * 200, "密码" * 1000),
    *("https://discord.com/api/webhooks/" * 100, "Brown, Lisa, " * 200, "1 5th Broadway, Salt Lake City, " * 100),
    "a" * 2000,
    "1" * 2000,
    "1 " * 1000,
    "@" * 2000,
    "a@" * 1000,
    "a." * 1000,
    "1." * 1000,
    "1-" * 1000,
    "(1" * 1000,
    "ab:" * 700,
    ": " * 1000,
    "password=" * 250,
    "://a:" * 400,
    "eyJaaaaaaaa." * 180,
    "-----BEGIN PRIVATE KEY-----" * 80,
    "电话1" * 700,
    "GB82" * 500,
    "+1 (" * 500,
    "call 1" * 350,
    "\\n1" * 700,
    "sk-" * 700,
    "138 " * 500,
    "ann@example.com " * 150,
    "13800138000," * 200,
    "phone 467 3395, " * 150,
]


@pytest.mark.parametrize("text", ADVERSARIAL, ids=lambda text: text[:8])
def test_work_grows_with_the_length_only(text: str) -> None:
    def cost(size: int) -> float:
        long = text * size
        best = 1e9
        for _ in range(2):
            began = time.process_time()
            for detector in STRUCTURED:
                list(detector.find(long))
            ALL.spans(long)
            best = min(best, time.process_time() - began)
        return best

    assert cost(4) < 10 * cost(1) + 0.02  # quadratic work would cost 16 times as much


def test_every_kind_is_used_by_a_transform() -> None:
    used = {kind.name for transform in ("redact", "secrets") for kind in kinds_of(transform)}
    assert {each.name for each in STRUCTURED} <= used
