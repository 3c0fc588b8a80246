"""Addresses of chat robots: whoever has one can write there, so the whole of it is a secret."""

from __future__ import annotations

from random import Random

import pytest

from tuneloop.data.detectors.api_key import ApiKey

_RANDOM = Random(5)


def _drawn(count: int, signs: str = "0123456789abcdef") -> str:
    return "".join(_RANDOM.choice(signs) for _ in range(count))


_UUID = "-".join(_drawn(count) for count in (8, 4, 4, 4, 12))


@pytest.mark.parametrize(
    "hook",
    [
        f"https://hooks.slack.com/services/T{_drawn(8, 'ABCDEF23')}/B{_drawn(8, 'ABCDEF23')}/{_drawn(24, 'abcXYZ123')}",
        f"https://discord.com/api/webhooks/{_drawn(18, '123456789')}/{_drawn(68, 'abcdXYZ12_')}",
        f"https://discord.com/api/webhooks/[CARD]/{_drawn(68, 'abcdXYZ12_')}",
        f"https://open.feishu.cn/open-apis/bot/v2/hook/{_UUID}",
        f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={_UUID}",
        f"https://oapi.dingtalk.com/robot/send?access_token={_drawn(64)}",
    ],
)
def test_the_whole_address_is_found(hook: str) -> None:
    text = f"把通知发到{hook}，谢谢"
    assert [text[span.start : span.end] for span in ApiKey().find(text)] == [hook]


def test_addresses_that_only_speak_of_hooks_stay() -> None:
    text = "see https://discord.com/developers/docs/resources/webhook and https://api.slack.com/messaging/webhooks"
    assert list(ApiKey().find(text)) == []
