"""Chats for pretraining: the assistant answers in words, never in the JSON of the instruction set."""

from random import Random

import lexicon
import spoken
from messages import Message, Value, message, person

Row = dict[str, object]

NOTE_WORDS = {
    "en": {
        "intent": "kind", "person": "person", "task": "to do", "topic": "subject", "problem": "trouble",
        "item": "thing",
        "quantity": "how many", "unit": "measured in", "amount": "money", "currency": "paid in", "people": "guests",
        "date": "date", "day": "day", "time": "clock", "place": "where", "order": "number",
    },
    "zh": {
        "intent": "类别", "person": "姓名", "task": "事情", "topic": "主题", "problem": "问题", "item": "东西",
        "quantity": "数量", "unit": "单位", "amount": "金额", "currency": "货币", "people": "人数",
        "date": "日期", "day": "哪天", "time": "时间", "place": "地点", "order": "订单",
    },
}  # fmt: skip

QUESTIONS = {
    "en": {
        "intent": ("What kind of message is this?", "What is it about, in one word?"),
        "person": ("Who is named?", "Which person is it?"),
        "task": ("What is to be done?", "What should be remembered?"),
        "topic": ("What will they talk about?", "What is the subject?"),
        "problem": ("What is the trouble, in one word?", "What went wrong, in one word?"),
        "item": ("Which thing is it about?", "What is named?"),
        "quantity": ("How much is it, as a number?", "How many, in digits?"),
        "unit": ("In which unit?", "What is the unit?"),
        "amount": ("How much money, as a number?", "What is the amount, in digits?"),
        "currency": ("In which currency?", "What is the code of the currency?"),
        "people": ("How many people?", "For how many people, in digits?"),
        "date": ("Which date, in numbers?", "What is the date, month first?"),
        "day": ("Which day?", "What day is meant?"),
        "time": ("What time is meant?", "At what time, on the 24-hour clock?"),
        "place": ("Where is it?", "Which place is named?"),
        "order": ("What is the order number?", "Which order?"),
    },
    "zh": {
        "intent": ("这是什么类型的信息？", "用一个英文词说，是什么事？"),
        "person": ("提到了谁？", "是哪一位？"),
        "task": ("要做什么？", "要记住什么事？"),
        "topic": ("要谈什么？", "主题是什么？"),
        "problem": ("出了什么问题？用一个英文词。", "哪里不对？用一个英文词。"),
        "item": ("是什么东西？", "提到了哪样东西？"),
        "quantity": ("数量是多少？", "要多少？用数字。"),
        "unit": ("单位是什么？", "用什么单位？"),
        "amount": ("多少钱？用数字。", "金额是多少？"),
        "currency": ("什么货币？", "货币代码是什么？"),
        "people": ("几个人？", "一共多少人？"),
        "date": ("是哪一天？用数字写。", "日期是什么？"),
        "day": ("是星期几？用英文。", "哪一天？用英文。"),
        "time": ("几点？", "时间是什么？用24小时制。"),
        "place": ("在哪里？", "地点是什么？"),
        "order": ("订单号是多少？", "哪个订单？"),
    },
}

NOT_SAID = {"en": "The message does not say.", "zh": "信息里没有说。"}


def turns(*texts: str) -> Row:
    """Make a chat row; the user speaks first, then both in turn."""
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]}


def quoted(value: Value) -> str:
    """Write a number bare and a wording in quotation marks."""
    return f'"{value}"' if isinstance(value, str) else f"{value}"


def note(written: Message) -> str:
    """Say in words what a message means."""
    words = NOTE_WORDS[written.language]
    parts = [f"{words[key]} {quoted(value)}" for key, value in written.facts.items()]
    if written.language == "en":
        return "Noted: " + ", ".join(parts) + "."
    return "记下了：" + "，".join(parts) + "。"


def noted(language: str, random: Random) -> Row:
    """A message and its note."""
    written = message(language, random)
    return turns(written.text, note(written))


def asked(language: str, random: Random) -> Row:
    """A message and two to four questions about it."""
    written = message(language, random)
    first, *more = _questions(written, random)
    return turns(f"{written.text}\n{first}", *more)


def noted_and_asked(language: str, random: Random) -> Row:
    """A message, its note, and two to four questions about it."""
    written = message(language, random)
    return turns(written.text, note(written), *_questions(written, random))


def _questions(written: Message, random: Random) -> list[str]:
    """Questions and answers in turn; now and then one about what the message does not say."""
    questions = QUESTIONS[written.language]
    keys = random.sample(list(written.facts), k=min(len(written.facts), random.randint(2, 4)))
    if random.random() < 0.2:
        keys[-1] = random.choice(lexicon.KEYS)
    texts: list[str] = []
    for key in keys:
        texts.append(random.choice(questions[key]))
        texts.append(quoted(written.facts[key]) if key in written.facts else NOT_SAID[written.language])
    return texts


def converted(language: str, random: Random) -> Row:
    """Three times, dates, numbers or sums of money, written the other way round."""
    texts: list[str] = []
    for _ in range(3):
        texts += _conversion(language, random)
    return turns(*texts)


def _conversion(language: str, random: Random) -> tuple[str, str]:
    english = language == "en"
    kind = random.randint(0, 5)
    if kind == 0:
        said, meant = spoken.time(language, random)
        return (f"What is {said} on the clock?" if english else f"{said}用24小时制怎么写？"), f'"{meant}"'
    if kind == 1:
        said, meant = spoken.date(language, random)
        return (f"Write {said} in numbers." if english else f"{said}用数字怎么写？"), f'"{meant}"'
    if kind == 2:
        said, amount, code = spoken.money(language, random)
        return (f"How much is {said}?" if english else f"{said}是多少？"), f'{amount} "{code}"'
    if kind == 3:
        value = random.randint(0, 999)
        said = spoken.number_en(value) if english else spoken.number_zh(value)
        if random.random() < 0.5:
            return (f"Write {said} in digits." if english else f"{said}用数字怎么写？"), f"{value}"
        return (f"Write {value} in words." if english else f"{value}用汉字怎么写？"), said
    if kind == 4:
        whole = random.randint(1, 20)
        if english:
            return f"How many grams are {whole} kg?", f"{whole * 1000} grams."
        return f"{whole}公斤是多少克？", f"{whole * 1000}克。"
    first, second = random.randint(1, 50), random.randint(1, 50)
    return (f"What is {first} plus {second}?" if english else f"{first}加{second}是多少？"), f"{first + second}"


def talked(language: str, random: Random) -> Row:
    """Small talk and plain facts about days and months."""
    name = person(language, random)
    number = random.randint(0, 6)
    month = random.randint(0, 11)
    if language == "en":
        today, after = spoken.WEEKDAYS_EN[number], spoken.WEEKDAYS_EN[(number + 1) % 7]
        pairs = [
            (f"Hello, I am {name}.", f"Hello {name}, nice to meet you. How can I help?"),
            (f"Which day comes after {today}?", f"{after} comes after {today}."),
            (f"Which month is number {month + 1}?", f"{spoken.MONTHS_EN[month]}."),
            (f"What is {today} in Chinese?", f"It is 星期{'一二三四五六日'[number]}."),
            ("How are you?", "I am well, thank you. What can I do for you?"),
            (f"Say goodbye to {name}.", f"Goodbye, {name}, and have a good day!"),
            ("What can you do?", "I read messages and answer questions about them, in English and in Chinese."),
        ]
    else:
        today, after = "一二三四五六日"[number], "二三四五六日一"[number]
        pairs = [
            (f"你好，我是{name}。", f"{name}，你好，很高兴认识你。需要我做什么？"),
            (f"星期{today}的后一天是星期几？", f"星期{today}的后一天是星期{after}。"),
            (f"{month + 1}月用汉字怎么写？", f"{spoken.number_zh(month + 1)}月。"),
            (f"星期{today}的英文是什么？", f"是{spoken.WEEKDAYS_EN[number]}。"),
            ("你好吗？", "我很好，谢谢。有什么可以帮你？"),
            (f"请和{name}说再见。", f"再见，{name}，祝你愉快！"),
            ("你会做什么？", "我会读信息，用中文和英文回答有关的问题。"),
        ]
    chosen = random.sample(pairs, k=2)
    return turns(*chosen[0], *chosen[1])
