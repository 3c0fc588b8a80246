"""How people say numbers, dates, times and money, next to the value that is meant.

Every function takes a random generator and returns ``(said, meant)``: the wording as it stands
in a message, and the normal form that an answer must give.
"""

from random import Random

from lexicon import words

ONES_EN = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
TENS_EN = words("- - twenty thirty forty fifty sixty seventy eighty ninety")
DIGITS_ZH = "零一二三四五六七八九"
MONTHS_EN = words("January February March April May June July August September October November December")
WEEKDAYS_EN = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
DAYS_IN_MONTH = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
YEARS = (2027, 2028)


def number_en(value: int) -> str:
    """Spell 0 to 999 in English words.

    Example:
        >>> number_en(245)
        'two hundred and forty-five'
    """
    if value < 20:
        return ONES_EN[value]
    if value < 100:
        ones = value % 10
        return TENS_EN[value // 10] + (f"-{ONES_EN[ones]}" if ones else "")
    rest = value % 100
    return f"{ONES_EN[value // 100]} hundred" + (f" and {number_en(rest)}" if rest else "")


def number_zh(value: int) -> str:
    """Spell 0 to 999 in Chinese numerals.

    Example:
        >>> number_zh(12), number_zh(205), number_zh(340)
        ('十二', '二百零五', '三百四十')
    """
    if value < 10:
        return DIGITS_ZH[value]
    if value < 100:
        tens, ones = divmod(value, 10)
        return (DIGITS_ZH[tens] if tens > 1 else "") + "十" + (DIGITS_ZH[ones] if ones else "")
    hundreds, rest = divmod(value, 100)
    head = DIGITS_ZH[hundreds] + "百"
    if rest == 0:
        return head
    if rest < 10:
        return head + "零" + DIGITS_ZH[rest]
    tens, ones = divmod(rest, 10)
    return head + DIGITS_ZH[tens] + "十" + (DIGITS_ZH[ones] if ones else "")


def counted_zh(value: int) -> str:
    """Spell a count before a measure word: two is 两 there.

    Example:
        >>> counted_zh(2) + "盒"
        '两盒'
    """
    return "两" if value == 2 else number_zh(value)


def ordinal_en(day: int) -> str:
    """Write a day of the month as an ordinal.

    Example:
        >>> ordinal_en(3), ordinal_en(12), ordinal_en(21)
        ('3rd', '12th', '21st')
    """
    if day in (11, 12, 13):
        return f"{day}th"
    return f"{day}" + {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def date(language: str, random: Random) -> tuple[str, str]:
    """Draw a date: ``MM-DD`` is meant when no year is said, else ``YYYY-MM-DD``."""
    month = random.randint(1, 12)
    day = random.randint(1, DAYS_IN_MONTH[month - 1])
    meant = f"{month:02d}-{day:02d}"
    year = random.choice(YEARS) if random.random() < 0.25 else 0
    said: tuple[str, ...]
    if language == "en":
        name = MONTHS_EN[month - 1]
        short = name[:3]
        if year:
            said = (
                f"{name} {day}, {year}",
                f"{day} {name} {year}",
                f"{year}-{meant}",
                f"{name} {ordinal_en(day)}, {year}",
            )
        else:
            said = (
                f"{name} {ordinal_en(day)}", f"{name} {day}", f"{day} {name}", f"the {ordinal_en(day)} of {name}",
                f"{day} {short}", f"{short} {day}",
            )  # fmt: skip
    elif year:
        said = (f"{year}年{month}月{day}日", f"{year}年{month}月{day}号", f"{year}-{meant}")
    else:
        said = (
            f"{month}月{day}日", f"{month}月{day}号", f"{number_zh(month)}月{number_zh(day)}日",
            f"{number_zh(month)}月{number_zh(day)}号",
        )  # fmt: skip
    return random.choice(said), f"{year}-{meant}" if year else meant


def weekday(language: str, random: Random) -> tuple[str, str]:
    """Draw a day that needs no calendar: today, tomorrow or a weekday."""
    number = random.randint(0, 8)
    if number > 6:
        meant = ("today", "tomorrow")[number - 7]
        return (meant if language == "en" else {"today": "今天", "tomorrow": "明天"}[meant]), meant
    name = WEEKDAYS_EN[number]
    if language == "en":
        return random.choice((f"on {name}", f"this {name}", f"next {name}")), name.lower()
    return random.choice(("周", "星期", "礼拜", "这周", "下周")) + "一二三四五六日"[number], name.lower()


def time(language: str, random: Random) -> tuple[str, str]:
    """Draw a time of day from 07:00 to 21:55; ``HH:MM`` is meant."""
    hour = random.randint(7, 21)
    minute = random.choice((0, 0, 0, 15, 30, 30, 45, 5 * random.randint(0, 11)))
    said = _time_en(hour, minute, random) if language == "en" else _time_zh(hour, minute, random)
    return said, f"{hour:02d}:{minute:02d}"


def _time_en(hour: int, minute: int, random: Random) -> str:
    twelve = (hour - 1) % 12 + 1
    half = "am" if hour < 12 else "pm"
    part = "in the morning" if hour < 12 else "in the afternoon" if hour < 18 else "in the evening"
    digits = f"{twelve}:{minute:02d}" if minute else f"{twelve}"
    ways = [f"{digits}{half}", f"{digits} {half}", f"{hour:02d}:{minute:02d}", f"{digits} {part}"]
    if minute == 0:
        ways += [f"{number_en(twelve)} {part}", f"{twelve} o'clock {part}"]
        ways += ["noon"] if hour == 12 else []
    elif minute == 15:
        ways += [f"quarter past {number_en(twelve)} {part}"] * 2
    elif minute == 30:
        ways += [f"half past {number_en(twelve)} {part}"] * 2 + [f"{number_en(twelve)} thirty {part}"]
    elif minute == 45 and hour not in (11, 17):
        ways += [f"quarter to {number_en(twelve % 12 + 1)} {part}"] * 2
    return random.choice(ways)


def _time_zh(hour: int, minute: int, random: Random) -> str:
    twelve = (hour - 1) % 12 + 1
    part = "早上" if hour < 9 else "上午" if hour < 12 else "中午" if hour == 12 else "下午" if hour < 18 else "晚上"
    words = counted_zh(twelve)
    ways = [f"{hour:02d}:{minute:02d}", f"{part}{twelve}:{minute:02d}"]
    if minute == 0:
        ways += [f"{part}{twelve}点", f"{part}{words}点", f"{part}{words}点整"]
    elif minute == 15:
        ways += [f"{part}{words}点一刻", f"{part}{twelve}点15分"]
    elif minute == 30:
        ways += [f"{part}{words}点半", f"{part}{twelve}点半"]
    elif minute >= 10:
        ways += [f"{part}{words}点{number_zh(minute)}分", f"{part}{twelve}点{minute}分"]
    return random.choice(ways)


def count(language: str, random: Random, low: int, high: int) -> tuple[str, int]:
    """Draw a whole number of things, said in digits or in words."""
    value = random.randint(low, high)
    if random.random() < 0.5:
        return f"{value}", value
    return (number_en(value) if language == "en" else counted_zh(value)), value


def weight(language: str, random: Random, unit: str, words: tuple[str, ...]) -> tuple[str, float]:
    """Draw a measure such as ``2.5 kg`` or ``两公斤半``; the value in ``unit`` is meant."""
    word = random.choice(words)
    gap = " " if language == "en" else ""
    if unit == "g":
        grams = 5 * random.randint(2, 19)
        return f"{grams}{gap}{word}", grams
    whole = random.randint(1, 9)
    kind = random.randint(0, 3)
    if kind == 0:
        return f"{whole}.5{gap}{word}", whole + 0.5
    if kind == 1 and not word.isascii():
        return f"{counted_zh(whole)}{word}半", whole + 0.5
    if kind == 1 and len(word) > 2:
        return f"{number_en(whole)} and a half {word}", whole + 0.5
    said, whole = count(language, random, 2, 12)
    return f"{said}{gap}{word}", whole


def money(language: str, random: Random) -> tuple[str, float, str]:
    """Draw an amount; return the wording, the value and the ISO 4217 code."""
    value = random.randint(5, 99)
    cents = random.random() < 0.25
    digits = f"{value}.50" if cents else f"{value}"
    meant = value + 0.5 if cents else value
    if language == "en":
        code, sign, word = random.choice(
            (("USD", "$", "dollars"), ("EUR", "€", "euros"), ("GBP", "£", "pounds"), ("CNY", "", "yuan"))
        )
        ways = (
            [f"{digits} {word}"]
            + ([f"{sign}{digits}"] if sign else [])
            + ([] if cents else [f"{number_en(value)} {word}"])
        )
        return random.choice(ways), meant, code
    code, word = random.choice(
        (("CNY", "元"), ("CNY", "块"), ("CNY", "块钱"), ("USD", "美元"), ("EUR", "欧元"), ("GBP", "英镑"))
    )
    ways = [f"{digits}{word}"] + ([] if cents else [f"{number_zh(value)}{word}"])
    return random.choice(ways), meant, code


def order_number(random: Random) -> str:
    """Draw an order number: a letter and two digits."""
    return f"{random.choice('ABCDEFGHKLMNPRSTVWXY')}{random.randint(10, 99)}"
