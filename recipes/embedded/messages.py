"""Messages with their facts: the material of both the instruction set and the pretraining chats."""

import re
from dataclasses import dataclass, field
from random import Random

import lexicon
import spoken
from frames import CORES, EXTRAS, OPENINGS, TAILS

Value = str | int | float

CHOICE = re.compile(r"\[([^\[\]]*)\]")
SIGNATURES = ("Regards", "Thanks, ", "Best wishes")
QUESTIONS = ("Can ", "Could ", "May ", "Shall ", "Do ", "Is ")
SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Message:
    """One message and what it says.

    Args:
        language: ``en`` or ``zh``.
        text: The wording.
        facts: The values meant, by key, in the order of :data:`lexicon.KEYS`.
    """

    language: str
    text: str
    facts: dict[str, Value]


@dataclass
class Writer:
    """Fills frames and notes the facts it has said.

    Args:
        language: ``en`` or ``zh``.
        random: The source of every choice.
        facts: What has been said so far.
    """

    language: str
    random: Random
    facts: dict[str, Value] = field(default_factory=dict)

    def fill(self, frame: str) -> str:
        """Choose one wording in every ``[a|b]`` and fill every ``{slot}``."""
        while found := CHOICE.search(frame):
            frame = frame[: found.start()] + self.random.choice(found[1].split("|")) + frame[found.end() :]
        return SLOT.sub(lambda slot: str(getattr(self, slot[1])()), frame)

    def note(self, key: str, value: Value) -> None:
        """Keep one fact; a whole number loses its ``.0``."""
        self.facts[key] = int(value) if isinstance(value, float) and value.is_integer() else value

    def person(self) -> str:
        """Name somebody."""
        said = person(self.language, self.random)
        self.note("person", said)
        return said

    def people(self) -> str:
        """Say how many people."""
        said, meant = spoken.count(self.language, self.random, 2, 12)
        self.note("people", meant)
        if self.language == "zh":
            return said + self.random.choice(("个人", "位", "人"))
        return said + self.random.choice((" people", " guests", " persons"))

    def when(self) -> str:
        """Say a date or a day, a time, or both."""
        kind = self.random.random()
        day = self._day() if kind < 0.9 else ""
        hour = "" if 0.75 < kind < 0.9 else self._time()
        if self.language == "zh":
            return day + hour
        at = f"at {hour}" if hour else ""
        parts = [day, at] if self.random.random() < 0.6 else [at, day]
        return " ".join(part for part in parts if part)

    def When(self) -> str:
        """Say when, at the start of a sentence."""
        said = self.when()
        return said[0].upper() + said[1:]

    def when_bare(self) -> str:
        """Say when, without a preposition in front."""
        said = self.when()
        return said.removeprefix("on ").removeprefix("at ")

    def _day(self) -> str:
        if self.random.random() < 0.6:
            said, meant = spoken.date(self.language, self.random)
            self.note("date", meant)
            return f"on {said}" if self.language == "en" else said
        said, meant = spoken.weekday(self.language, self.random)
        self.note("day", meant)
        return said

    def _time(self) -> str:
        said, meant = spoken.time(self.language, self.random)
        self.note("time", meant)
        return said

    def place(self) -> str:
        """Name a house or an address."""
        said = place(self.language, self.random)
        self.note("place", said)
        return said

    def room(self) -> str:
        """Name a room."""
        if self.language == "en":
            said = f"{self.random.choice(('room', 'hall', 'office'))} {self.random.randint(1, 99)}"
        else:
            said = f"{self.random.choice(lexicon.ROOMS_ZH)}{self.random.randint(1, 99)}"
        self.note("place", said)
        return said

    def goods(self) -> str:
        """Say how much of what."""
        item, units = goods(self.language, self.random)
        self.note("item", item)
        if not units:
            said, meant = spoken.count(self.language, self.random, 2, 20)
            self.note("quantity", meant)
            return f"{said} {item}" if self.language == "en" else f"{said}个{item}"
        unit = self.random.choice(units)
        words = (lexicon.UNITS_EN if self.language == "en" else lexicon.UNITS_ZH)[unit]
        if unit in ("kg", "g", "l"):
            said, amount = spoken.weight(self.language, self.random, unit, words)
        else:
            said, amount = spoken.count(self.language, self.random, 2, 20)
            said += (" " if self.language == "en" else "") + self.random.choice(words)
        self.note("quantity", amount)
        self.note("unit", unit)
        return f"{said} of {item}" if self.language == "en" else said + item

    def thing(self) -> str:
        """Name one thing."""
        said = self.random.choice(lexicon.THING_EN if self.language == "en" else lexicon.THING_ZH)
        self.note("item", said)
        return said

    def problem(self) -> str:
        """Say what is wrong."""
        problems = lexicon.PROBLEMS_EN if self.language == "en" else lexicon.PROBLEMS_ZH
        meant = self.random.choice(list(problems))
        self.note("problem", meant)
        return self.random.choice(problems[meant])

    def task(self) -> str:
        """Say what is to be done."""
        said = self.random.choice(lexicon.TASKS_EN if self.language == "en" else lexicon.TASKS_ZH)
        self.note("task", said)
        return said

    def topic(self) -> str:
        """Say what a meeting is about."""
        said = self.random.choice(lexicon.TOPICS_EN if self.language == "en" else lexicon.TOPICS_ZH)
        self.note("topic", said)
        return said

    def money(self) -> str:
        """Say an amount."""
        said, meant, code = spoken.money(self.language, self.random)
        self.note("amount", meant)
        self.note("currency", code)
        return said

    def order(self) -> str:
        """Give an order number."""
        said = spoken.order_number(self.random)
        self.note("order", said)
        return said


def person(language: str, random: Random) -> str:
    """Invent a name: a given name in English, a surname with a title or a given name in Chinese."""
    if language == "en":
        return random.choice(lexicon.NAMES_EN)
    return random.choice(lexicon.SURNAMES_ZH) + random.choice(
        (*lexicon.TITLES_ZH, *lexicon.TITLES_ZH, *lexicon.GIVEN_ZH)
    )


def place(language: str, random: Random) -> str:
    """Invent a house."""
    if language == "en":
        return f"{random.choice(lexicon.PLACE_FIRST_EN)} {random.choice(lexicon.PLACE_SECOND_EN)}"
    return random.choice(lexicon.PLACE_FIRST_ZH) + random.choice(lexicon.PLACE_SECOND_ZH)


def goods(language: str, random: Random) -> tuple[str, list[str]]:
    """Choose something sold by a measure; return it and the units that suit it."""
    shelves = lexicon.GOODS_EN if language == "en" else lexicon.GOODS_ZH
    units = random.choice(list(shelves))
    return random.choice(shelves[units].split()), units.split()


def _opened(sentences: list[str], language: str, random: Random) -> list[str]:
    """Put a greeting in front, and a question mark where a question ends."""
    first = sentences[0]
    if first.startswith(QUESTIONS) and first.endswith("."):
        first = first[:-1] + "?"
    opening = random.choice(OPENINGS[language])
    if opening.endswith(", ") and not first.startswith(("I ", "I'", *lexicon.NAMES_EN)):
        first = first[0].lower() + first[1:]
    first = opening + first
    return [first[0].upper() + first[1:], *sentences[1:]]


def message(language: str, random: Random) -> Message:
    """Write one message."""
    intent = random.choice(lexicon.INTENTS)
    writer = Writer(language, random)
    sentences = [writer.fill(random.choice(CORES[language][intent]))]
    extras = list(EXTRAS[intent])
    random.shuffle(extras)
    for extra in extras[: random.choice((0, 1, 1, 2))]:
        if extra not in writer.facts and not (extra == "money" and "amount" in writer.facts):
            sentences.append(writer.fill(random.choice(TAILS[language][extra])))
    if random.random() < 0.35:
        sentences.append(random.choice(TAILS[language]["plain"]))
    if len(sentences) > 1 and random.random() < 0.3:
        sentences[0], sentences[1] = sentences[1], sentences[0]
    sentences.sort(key=lambda sentence: sentence.startswith(SIGNATURES))
    text = (" " if language == "en" else "").join(_opened(sentences, language, random))
    said = {"intent": intent, **writer.facts}
    return Message(language, text, {key: said[key] for key in lexicon.KEYS if key in said})
