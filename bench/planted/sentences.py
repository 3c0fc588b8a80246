"""Sentences that carry planted values, in English and Chinese, and sentences that look as if they did."""

from __future__ import annotations

import random
from dataclasses import dataclass

from bench.planted import values
from bench.planted.values import Draw

CARRIERS: dict[str, tuple[Draw, tuple[str, ...]]] = {
    "email": (
        values.email,
        (
            "Please send the signed form to {} before Friday.",
            "Contact: {}.",
            "<{}> wrote: thanks for the quick reply!",
            "My address is {}, but I rarely read it.",
            "请把合同发到{}，谢谢。",
            "邮箱：{}；有问题随时联系。",
            "我的邮箱是{}你记一下",
        ),
    ),
    "phone/en": (
        values.phone_en,
        (
            "You can reach me at {} after five.",
            "Tel: {}",
            "Call {} and ask for the night desk.",
            "Her number ({}) has not changed.",
            "phone={} fax=none",
        ),
    ),
    "phone/zh": (
        values.phone_zh,
        (
            "我的手机号是{}，请尽快回电。",
            "联系电话：{}",
            "打{}找值班经理就行了",
            "收件人电话{}，放门口即可。",
            "客服说让我拨{}再确认一次订单。",
        ),
    ),
    "resident_id": (
        values.resident_id,
        (
            "身份证号：{}",
            "办理时需要身份证{}的复印件。",
            "他的身份证号码是{}，请核对。",
            "证件号码{}已登记",
            "The guest showed a Chinese ID, number {}.",
        ),
    ),
    "card": (
        values.card,
        (
            "Charge it to {} please.",
            "Card number: {}, expires 09/28.",
            "银行卡号{}，开户行在杭州。",
            "请转到这张卡：{}",
            "My Visa {} was declined twice.",
        ),
    ),
    "iban": (values.iban, ("Wire the deposit to {} by Monday.", "IBAN: {}", "请汇款到{}。")),
    "ip": (
        values.ip,
        ("The request came from {} at night.", "服务器地址是{}，端口照旧。", "ssh root@{} fails", "host: {}"),
    ),
    "mac": (values.mac, ("The printer has {} on its label.", "设备MAC地址：{}", "arp shows {} twice")),
    "us_ssn": (values.ssn, ("My SSN is {}.", "Social security number: {}", "SSN {} was mistyped on the form.")),
    "passport": (
        values.passport,
        ("护照号码：{}", "他的护照号是{}，明年到期。", "Passport no. {} was issued in Chengdu."),
    ),
    "licence_plate": (values.plate, ("车牌号{}的车挡住了出口。", "一辆{}停在楼下", "请{}的车主挪一下车。")),
    "name/en": (
        values.name_en,
        (
            "My name is {} and I would like to cancel.",
            "Dear {}, thank you for your letter.",
            "Yesterday {} called about the invoice.",
            "Please ask Dr. {} to sign.",
            "The report was written by {}.",
        ),
    ),
    "name/zh": (
        values.name_zh,
        (
            "我叫{}，想取消昨天的预约。",
            "收件人：{}",
            "{}先生您好，您的快递到了。",
            "昨天{}打电话来问过这件事。",
            "请联系{}老师签字。",
        ),
    ),
    "address/en": (
        values.address_en,
        ("Ship it to {}.", "I live at {}, second door on the left.", "Address: {}", "The parcel for {} came back."),
    ),
    "address/zh": (
        values.address_zh,
        ("请寄到{}。", "收货地址：{}", "我住在{}，送货前打电话。", "家庭住址是{}，邮编另附。"),
    ),
    "birth_date/en": (
        values.birth_date,
        ("She was born on {}.", "Date of birth: {}", "DOB {} as on the licence."),
    ),
    "birth_date/zh": (values.birth_date_zh, ("出生日期：{}", "他出生于{}。", "我的生日是{}")),
    **{
        f"api_key/{maker}": (
            draw,
            (
                "export KEY={}",
                'the config says token = "{}" and nothing else',
                "我的密钥是 {} 请不要外传",
                "curl -H 'Authorization: Bearer {}' https://api.example.com",
            ),
        )
        for maker, draw in values.SECRETS.items()
    },
}
"""For each kind (with its language or maker behind a stroke): how it is drawn, and the sentences it stands in."""

HARMLESS = (
    "Order 20240315004512 was shipped in 3 parcels.",
    "Version 2.14.3.1 fixes the crash; see build 8812345.",
    "The ISBN is 978-3-16-148410-0 and the book has 412 pages.",
    "What is 13800 plus 138000? The answer is 151800.",
    "The population grew from 1,234,567 to 2,345,678 between 1990 and 2015.",
    "She bought 12 apples, 7 pears and 345 grapes for $18.95.",
    "In 1789 the assembly met; in 1804 it was over.",
    "The hash is d41d8cd98f00b204e9800998ecf8427e for an empty file.",
    "Use id 550e8400-e29b-41d4-a716-446655440000 in the request.",
    "Set max_tokens=4096 and temperature=0.7 in config.yaml.",
    "The constant is 3.14159265358979 and e is 2.718281828.",
    "Paris is the capital of France, and London that of England.",
    "May I ask whether the April report will be ready in June?",
    "The sum 4532 1143 + 8876 4412 needs a carry.",
    "for i in range(1000000007): total += i * 998244353",
    "订单号202403150045129已发货，共3件。",
    "圆周率约等于3.1415926535，自然常数是2.71828。",
    "他花了12345元买了678本书，平均每本18.2元。",
    "版本号2.14.3已经发布，修复了9个问题。",
    "这个方法非常方便，白天和晚上都可以使用。",
    "请问黄金的价格和高兴的心情有什么关系？",
    "北京是中国的首都，上海是最大的城市。",
    "周末我们张罗了一桌菜，王国的故事讲了一晚上。",
    "公式为(100+200)*300/400=225，请写出计算过程。",
    "2019年10月1日举行了庆祝活动，来了15000人。",
    "第110105行代码报错，错误码是40010086。",
)
"""Sentences without any personal datum or secret, full of numbers and words that mislead."""


@dataclass(frozen=True)
class Planted:
    """A sentence with one planted value.

    Attributes:
        text: The sentence.
        start: Where the value begins.
        end: Where it ends.
        kind: What it is, without language and maker.
        group: The same with language or maker.
        language: ``en`` or ``zh``.
    """

    text: str
    start: int
    end: int
    kind: str
    group: str
    language: str

    @property
    def value(self) -> str:
        """The planted value."""
        return self.text[self.start : self.end]


def plant(draw: random.Random, group: str) -> Planted:
    """Draw a value of a kind and a sentence that carries it."""
    make, carriers = CARRIERS[group]
    carrier, value = draw.choice(carriers), make(draw)
    start = carrier.index("{}")
    language = "zh" if any("\u4e00" <= sign <= "\u9fff" for sign in carrier) else "en"
    return Planted(carrier.replace("{}", value), start, start + len(value), group.partition("/")[0], group, language)
