"""Keys and tokens of services, by the forms that their makers document (prefix, alphabet, length)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, final

from tuneloop.data.detectors import Detector, Span

# Each form: what it begins with (one of it must occur in the text), and the pattern of the whole.
_FORMS: dict[str, tuple[tuple[str, ...], str]] = {
    "aws": (("AKIA", "ASIA", "ABIA", "ACCA"), r"A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}"),
    "aliyun": (("LTAI",), r"LTAI[A-Za-z0-9]{12,26}"),
    "tencent": (("AKID",), r"AKID[A-Za-z0-9]{13,40}"),
    "github": (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"gh[pousr]_[A-Za-z0-9]{36,255}"),
    "github_fine": (("github_pat_",), r"github_pat_[A-Za-z0-9_]{22,255}"),
    "gitlab": (
        ("glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "gloas-"),
        r"gl(?:pat|dt|rt|ptt|cbt|oas)-[\w-]{20,300}",
    ),
    "slack": (("xox", "xapp-"), r"(?:xox[abceoprs]-|xapp-\d-)[A-Za-z0-9-]{10,250}"),
    "hooks": (
        ("hooks.slack.com", "/api/webhooks/", "/bot/v2/hook/", "/webhook/send?key=", "/robot/send?access_token="),
        r"(?:https?://)?(?:hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/]{20,100}"
        r"|(?:[a-z]+\.)?discord(?:app)?\.com/api/webhooks/[^\s/]{6,24}/[\w-]{30,100}"
        r"|open\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/v2/hook/[0-9a-f-]{30,40}"
        r"|qyapi\.weixin\.qq\.com/cgi-bin/webhook/send\?key=[0-9a-f-]{30,40}"
        r"|oapi\.dingtalk\.com/robot/send\?access_token=[0-9a-f]{40,80})",
    ),
    "stripe": (("_live_", "_test_", "whsec_"), r"(?:[spr]k_(?:live|test)_|whsec_)[A-Za-z0-9]{10,250}"),
    "google": (("AIza", "GOCSPX-", "ya29."), r"AIza[\w-]{35}|GOCSPX-[\w-]{28}|ya29\.[\w-]{20,1000}"),
    "openai": (("sk-",), r"sk-(?:(?:proj|svcacct|admin|None|or-v1|lf)-[\w-]{20,300}|[A-Za-z0-9]{20,100})"),
    "anthropic": (("sk-ant-",), r"sk-ant-[\w-]{20,200}"),
    "hugging_face": (("hf_", "api_org_"), r"(?:hf|api_org)_[A-Za-z0-9]{30,60}"),
    "npm": (("npm_",), r"npm_[A-Za-z0-9]{36}"),
    "pypi": (("pypi-",), r"pypi-(?:AgE[\w-]{13,300}|[\w-]{50,300})"),
    "rubygems": (("rubygems_",), r"rubygems_[0-9a-f]{48}"),
    "docker": (("dckr_pat_",), r"dckr_pat_[\w-]{20,60}"),
    "twilio": (("SK", "AC"), r"(?:SK|AC)[0-9a-f]{32}"),
    "sendgrid": (("SG.",), r"SG\.[\w-]{16,32}\.[\w-]{16,64}"),
    "telegram": ((":A",), r"\d{8,10}:A[\w-]{34}"),
    "discord": ((".",), r"[MNO][A-Za-z0-9_-]{23,27}\.[\w-]{6}\.[\w-]{27,40}"),
    "digitalocean": (("_v1_",), r"do[opr]_v1_[0-9a-f]{64}"),
    "shopify": (("shp",), r"shp(?:at|ca|pa|ss)_[0-9A-Fa-f]{32}"),
    "databricks": (("dapi",), r"dapi[0-9a-f]{32}(?:-\d)?"),
    "mailgun": (("key-",), r"key-[0-9a-z]{32}"),
    "mailchimp": (("-us",), r"[0-9a-f]{32}-us\d{1,2}"),
    "zhipu": ((".",), r"[0-9a-f]{32}\.[A-Za-z0-9]{16}"),
    "square": (("sq0",), r"sq0(?:atp|csp|idp)-[\w-]{22,60}"),
    "azure": (("AccountKey=", "SharedAccessKey="), r"(?<=Key=)[A-Za-z0-9+/]{40,90}={0,2}"),
    "models": (("gsk_", "xai-", "r8_", "pplx-", "tvly-"), r"(?:gsk_|xai-|r8_|pplx-|tvly-(?:dev-)?)[A-Za-z0-9]{28,120}"),
    "notion": (("secret_", "ntn_"), r"(?:secret|ntn)_[A-Za-z0-9]{40,60}"),
    "grafana": (("glsa_", "glc_"), r"gl(?:sa|c)_[A-Za-z0-9+/=_]{32,200}"),
    "others": (
        ("lin_api_", "PMAK-", "NRAK-", "hvs.", "figd_", "sntrys_", "dp.pt.", "atlasv1", "AGE-SECRET-KEY-1", "EAAA"),
        r"lin_api_[A-Za-z0-9]{40}|PMAK-[0-9a-f]{24}-[0-9a-f]{34}|NRAK-[A-Z0-9]{27}|hvs\.[\w-]{24,200}"
        r"|figd_[\w-]{40,60}|sntrys_[A-Za-z0-9_+/=-]{40,300}|dp\.pt\.[A-Za-z0-9]{40,44}"
        r"|[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,80}|AGE-SECRET-KEY-1[A-Z0-9]{58}|EAAA[\w-]{60}",
    ),
}
_KINDS = tuple(
    (cues, re.compile(rf"(?<![0-9A-Za-z_])(?<![0-9A-Za-z]-)(?:{form})(?![0-9A-Za-z_])", re.ASCII))
    for cues, form in _FORMS.values()
)
_VARIED, _PREFIX = 6, 4


@final
class ApiKey(Detector):
    """Keys of clouds, code hosts, language models, payment, mail and chat services."""

    used_by: ClassVar[tuple[str, ...]] = ("secrets",)
    unbroken: ClassVar[int] = 16

    def find(self, text: str) -> Iterable[Span]:
        """Look for every service's form; rows of the same sign (``sk-xxxxxxxx``) are blanks to be filled in.

        Example:
            >>> text = "key = 'AKIA" + "Q7Z2M4X6R8T1W3Y5' # AKIA" + 16 * "X"
            >>> [(span.start, span.end) for span in ApiKey().find(text)]
            [(7, 27)]
        """
        for cues, form in _KINDS:
            if any(cue in text for cue in cues):
                for found in form.finditer(text):
                    if _is_drawn(found[0]):
                        yield self.span(*found.span(), 0.98)

    def same(self, value: str) -> str:
        """The key as it is."""
        return value


def _is_drawn(key: str) -> bool:
    """Whether a key has enough different signs, and digits or capitals: words in small letters are none."""
    body = key[_PREFIX:]
    return len(set(body)) > _VARIED and not (body.islower() and not any(map(str.isdigit, body)))
