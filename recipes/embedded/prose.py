"""Prose for pretraining: short invented reports and small data records, in English and Chinese."""

import json
from random import Random

import lexicon
import spoken
from messages import Value, Writer, goods, person, place

REPORTS = {
    "en": (
        "{person} lives near {place} and works there {when}.",
        "In the morning the shop sold {goods} for {money}.",
        "The {thing} stood by the door, and nobody knew that it {problem}.",
        "They wanted to talk about {topic}, but only {people} came.",
        "First we had to {task}; after that there was time for tea.",
        "The clerk wrote down order {order}.",
        "It was a [quiet|long|rainy|bright] day, and the [street|market|garden] was [full|empty].",
        "A letter from {person} said that the train leaves {when}.",
        "The room was warm, and {people} waited for the soup.",
        "Nobody had asked for the {thing}, so it went back to {place}.",
    ),
    "zh": (
        "{person}住在{place}附近，{when}在那里上班。",
        "早上店里卖出了{goods}，收了{money}。",
        "{thing}放在门口，没人知道它{problem}。",
        "他们想谈谈{topic}，可是只来了{people}。",
        "我们先{task}，然后才有时间喝茶。",
        "店员记下了订单{order}。",
        "那是[安静|漫长|下雨|晴朗]的一天，[街上|市场|花园][人很多|空荡荡]。",
        "{person}来信说，火车{when}开。",
        "屋里很暖和，{people}在等汤。",
        "没有人要过{thing}，所以又送回了{place}。",
    ),
}


def report(language: str, random: Random) -> str:
    """Write two to four sentences about an ordinary day."""
    frames = random.sample(REPORTS[language], k=random.randint(2, 4))
    return (" " if language == "en" else "").join(Writer(language, random).fill(frame) for frame in frames)


def record(language: str, random: Random) -> str:
    """Write one small data record: keys in any order, with values that have nothing to do with a message."""
    values: dict[str, Value] = {
        "person": person(language, random),
        "name": person(language, random),
        "place": place(language, random),
        "item": goods(language, random)[0],
        "quantity": random.randint(1, 99),
        "people": random.randint(1, 99),
        "unit": random.choice(list(lexicon.UNITS_EN)),
        "amount": random.randint(1, 999),
        "price": random.randint(1, 99) + 0.5,
        "currency": random.choice(("USD", "EUR", "GBP", "CNY")),
        "date": spoken.date(language, random)[1],
        "time": spoken.time(language, random)[1],
        "day": spoken.weekday(language, random)[1],
        "order": spoken.order_number(random),
        "task": random.choice(lexicon.TASKS_EN if language == "en" else lexicon.TASKS_ZH),
        "topic": random.choice(lexicon.TOPICS_EN if language == "en" else lexicon.TOPICS_ZH),
        "problem": random.choice(list(lexicon.PROBLEMS_EN)),
        "color": random.choice(("red", "green", "blue", "white")),
        "open": random.choice(("yes", "no")),
        "page": random.randint(1, 300),
    }
    keys = random.sample(list(values), k=random.randint(3, 6))
    return json.dumps({key: values[key] for key in keys}, ensure_ascii=False, separators=(",", ":"))
