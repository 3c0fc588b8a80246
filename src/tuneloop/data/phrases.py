"""Phrases that say nothing about a row: what assistants begin and end with, what web pages carry, what tags leave."""

from __future__ import annotations

import re

from tuneloop.data.passages import in_prose, is_code, pieces

_ASSISTANT = re.compile(
    r"\b[Aa]s an? (?:AI|artificial intelligence|(?:large )?language model)[\w -]{0,40}?"
    r"(?: (?:developed|trained|created|made) by [A-Z]\w+(?: \w+)?)?, (?P<next>\w?)"
    r"|作为(?:一个|一名|一款|一种|一位)?(?:由[^，。\n]{1,12}(?:开发|训练)的)?(?:基于[^，。\n]{1,12}的)?"
    r"(?:人工智能|AI|大型?语言|语言)(?:语言|对话|聊天)?(?:模型|助手|助理|程序|机器人|系统)?[，,] *"
)
_SENTENCE_START = re.compile(r"(?:^|[.!?:\n])\s*$")
_LETTER = re.compile(r"\s*(?:Dear|Hi|Hello|Hey|Subject:|To:|尊敬的|亲爱的|主题：|.{1,10}[：:]\s*\n\s*(?:您好|你好))")
_CLOSING = re.compile(
    r"(?:(?<=[.!?。！？\n])|(?<=[.!?] ))\s*(?:"
    r"(?:Please )?(?:let me know|feel free|do not hesitate|don't hesitate)\b[^.!?\n]*[.!?]"
    r"|I hope (?:this|that|these|my)[^.!?\n]*\bhelp(?:s|ed|ful)?\b[^.!?\n]*[.!?]"
    r"|(?:Is there|Do you have) any(?:thing else| (?:other|further|more) questions?)[^.!?\n]*\?"
    r"|If you (?:have|need|want) any (?:other|further|more|additional)[^.!?\n]*[.!?]"
    r"|希望(?:这|以上|我的|上述)[^。！？\n]*(?:帮助|帮到|有用)[^。！？\n]*[。！]?"
    r"|(?:如果|若|如)[您你]?(?:还)?(?:有|需要)(?:任何)?(?:其他|其它|更多|进一步)?(?:的)?(?:问题|疑问|帮助|需求)"
    r"[^。！？\n]*(?:随时|告诉|告知|联系|提出|问我)[^。！？\n]*[。！]?"
    r"|(?:请)?随时(?:告诉|联系|向我提问)[^。！？\n]*[。！]?"
    r")\s*\Z",
    re.IGNORECASE,
)
_PAGE = re.compile(
    r"^[ \t]*(?:"
    r"(?:this|our) (?:web ?)?site uses cookies\b.*|(?:accept|manage|reject)(?: all)? cookies.{0,40}"
    r"|(?:we use|by using this).{0,40}cookies.*"
    r"|(?:click|tap) here to (?:subscribe|sign up|read|learn|download|unsubscribe)\b.{0,60}"
    r"|(?:subscribe|sign up) (?:to|for) (?:our|the|my) .{0,40}(?:newsletter|updates|channel|blog)\b.{0,40}"
    r"|(?:share|tweet|pin)(?: this)?"
    r" (?:on|via|to) (?:facebook|twitter|x|linkedin|pinterest|whatsapp|email)[^.]{0,40}"
    r"|(?:©|\(c\)|copyright)[^\n]{0,80}(?:all )?rights reserved\.?|all rights reserved\.?"
    r"|(?:(?:home|about(?: us)?|contact(?: us)?|products?|services|blog|news|login|log in|sign in|register|faq|help"
    r"|menu|search|privacy policy|terms(?: of (?:use|service))?|sitemap)\s*(?:[|»>/·•-]\s*)?){3,}"
    r"|skip to (?:main )?content|back to top|read more\W*|(?:previous|next) (?:post|article|page)\b.{0,60}"
    r"|(?:您当前的位置|当前位置)[:：].*|(?:上一篇|下一篇|上一页|下一页)[:：]?.{0,60}|(?:责任编辑|编辑)[:：].{0,20}"
    r"|.{0,20}版权所有.{0,40}|(?:请)?(?:扫码|扫描二维码|长按).{0,20}关注.{0,30}|点击(?:这里|此处|下方|上方)?.{0,6}(?:订阅|关注|下载|查看更多).{0,30}"
    r"|(?:(?:首页|关于我们|联系我们|产品中心|新闻中心|登录|注册|帮助|网站地图|隐私政策)\s*(?:[|»>/·•-]\s*)?){3,}"
    r"|本(?:网)?站使用\s*cookies?.*|阅读原文|分享到[:：]?.{0,30}"
    r")[ \t]*$\n?",
    re.IGNORECASE | re.MULTILINE,
)
_TAG = re.compile(
    r"</?(?:p|div|span|br|hr|b|i|u|a|strong|em|font|ul|ol|li|table|tbody|thead|tr|td|th|h[1-6]|img|center|small|sup|sub"
    r"|section|article|blockquote)(?:\s+[\w:-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s<>]+))*\s*/?>",
    re.IGNORECASE,
)
_BREAK = re.compile(r"</?(?:p|div|br|li|tr|h[1-6])\b", re.IGNORECASE)
_ABOUT_TAGS = re.compile(
    r"\b(?:html|css|xml|tags?|elements?|attributes?|web ?pages?|markup)\b|标签|标记|网页|元素"
    r"|<(?:!|html|head|body|script|style|form|input|button)",
    re.IGNORECASE,
)


def without_assistant(text: str) -> str:
    """The text without "As an AI language model," and its like; what follows begins as a sentence does.

    Example:
        >>> without_assistant("As an AI language model, I cannot eat. 作为一个AI语言模型，我没有胃。")
        'I cannot eat. 我没有胃。'
    """

    def put(found: re.Match[str]) -> str:
        following = found["next"] or ""
        return following.upper() if _SENTENCE_START.search(text[: found.start()]) else following

    return _ASSISTANT.sub(put, text)


def without_closing(text: str) -> str:
    """The text without offers of more help at its end, as long as something else is left; letters keep theirs.

    Example:
        >>> without_closing("It is 4. I hope this helps! Let me know if you have any questions.")
        'It is 4.'
    """
    if _LETTER.match(text):
        return text
    while found := _CLOSING.search(text):
        if not (left := text[: found.start()].rstrip()):
            return text
        text = left
    return text


def without_page(text: str) -> str:
    r"""The text without lines that web pages carry: cookies, subscriptions, menus, rights.

    Example:
        >>> without_page("Home | About | Contact\nWhales are mammals.\nThis site uses cookies to improve.")
        'Whales are mammals.'
    """
    left = _PAGE.sub("", text)
    return text if left == text else left.strip()


def without_tags(text: str) -> str:
    r"""The prose of a text without HTML tags, unless it is about them; tags that break a line leave a line end.

    Example:
        >>> without_tags("<p>Whales are <b>mammals</b>.</p>"), without_tags("The tag <b> makes text bold.")
        ('Whales are mammals.', 'The tag <b> makes text bold.')
    """
    if "<" not in text or not _TAG.search(text) or is_code(text):
        return text
    if _ABOUT_TAGS.search(_TAG.sub("", "".join(piece for spoken, piece in pieces(text) if spoken))):
        return text
    left = in_prose(text, lambda piece: _TAG.sub(lambda tag: "\n" if _BREAK.match(tag[0]) else "", piece))
    return text if left == text else left.strip()
