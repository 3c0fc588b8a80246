"""Names and numbers in messengers are found behind their label, to the character, and nothing else is."""

import pytest

from tuneloop.data.detectors.chat_id import ChatId
from tuneloop.data.transforms.redact import Redact

FOUND = {
    "我的微信号是anna_0142，随时联系": ["anna_0142"],
    "微信号：anna_0142".replace("：", ":"): ["anna_0142"],
    "微信: lee-example99。": ["lee-example99"],
    "加wx:anna_0142领取": ["anna_0142"],
    "vx: anna_0142": ["anna_0142"],
    "WeChat ID: anna_0142, thanks": ["anna_0142"],
    "my WeChat id is anna_0142.": ["anna_0142"],
    "QQ:10000001或QQ号 10000002": ["10000001", "10000002"],
    "QQ10000001": ["10000001"],
    "qq号码是10000001。": ["10000001"],
    "Telegram: @anna_example": ["anna_example"],
    "telegram handle: anna_example; QQ number: 10000001": ["anna_example", "10000001"],
}
NOTHING = [
    "微信支付很方便，微信公众号也不错",
    "微信 is popular and WeChat works",
    "she said that wechat is better than telegram",
    "QQ音乐和QQ 2024版",
    "Telegram: a new kind of messenger",
    "order 10000001 was sent",
    "微信: 好的",
    "我用QQ和微信聊天",
    "WeChat ID is required and a telegram account is free",
    "see telegram.example.com/help",
    "SELECT wx FROM t WHERE wxid = 5",
]


@pytest.mark.parametrize("text", FOUND)
def test_a_name_or_number_behind_its_label_is_found_to_the_character(text: str) -> None:
    spans = sorted(ChatId().find(text))
    assert [text[span.start : span.end] for span in spans] == FOUND[text]


@pytest.mark.parametrize("text", NOTHING)
def test_text_without_one_is_left_alone(text: str) -> None:
    assert list(ChatId().find(text)) == []


def test_redact_takes_them_out_and_full_width_colons_do_not_matter() -> None:
    assert Redact().hide("微信号：anna_0142，ＱＱ：10000001") == "微信号：[CHAT_ID]，ＱＱ：[CHAT_ID]"


def test_pseudonyms_are_not_found_again() -> None:
    assert list(ChatId().find("微信号: [CHAT_ID:abcdefgh], QQ: [CHAT_ID]")) == []
