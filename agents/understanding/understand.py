"""One caller turn, understood: requests, slots, answer, language-independent.

`Understander` holds what is fixed for a call (tenant words, time zone, packs); `read` is a pure function
of the text and of what the agent asked, so a speculative turn can be read as often as wished. Called by
`agents.dialogue.policy`.
"""

import datetime as dt
from enum import Enum
from functools import lru_cache

import msgspec

from agents.understanding.dates import When, find_when
from agents.understanding.emails import find_email
from agents.understanding.homophones import put_right
from agents.understanding.intents import Intent, Request, read_requests
from agents.understanding.language_pack import LanguagePack, bounded, pack_for
from agents.understanding.language_text import Words
from agents.understanding.names import NameHint, corrected_name, find_name
from agents.understanding.phones import PhoneMention, find_phone, national_digits
from agents.understanding.services import ServiceIndex
from agents.understanding.yes_no import Answer, read_answer
from context.tenants.config import TenantConfig


class Awaited(Enum):
    """The kind of answer the agent's last question opened; it decides how bare words are read."""

    NOTHING = "nothing"
    TIME = "time"
    NAME = "name"
    PHONE = "phone"
    CORRECTION = "correction"
    """The caller was read something back and may change any of it."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a turn says.

    service_id: named outside questions, "" if none. asked_service_id: the last one named anywhere.
    when: day and time outside questions. phone: None if no digits. choice: which of the offered ones, -1
    the last, None if none. any_choice: all the same to the caller. corrects: it announces a correction.
    disputes: it says that something is wrong. fields: parts of a booking that are named ("the time").
    """

    text: str
    words: Words
    requests: tuple[Request, ...]
    intents: frozenset[Intent]
    answer: Answer
    service_id: str = ""
    asked_service_id: str = ""
    when: When = When()
    name: str = ""
    phone: PhoneMention | None = None
    email: str = ""
    choice: int | None = None
    any_choice: bool = False
    corrects: bool = False
    disputes: bool = False
    fields: frozenset[str] = frozenset()
    language: str = ""
    """A language the caller asks for, or ""."""

    @property
    def has_slots(self) -> bool:
        """Whether it fills any part of a booking."""
        return bool(self.service_id or self.when.said or self.name or self.phone or self.email)


class Understander:
    """Reads the turns of one tenant's callers."""

    def __init__(self, tenant: TenantConfig) -> None:
        self._tenant = tenant
        self.packs = {language: pack for language in tenant.languages if (pack := _pack(language)) is not None}
        for language in self.packs:
            _compile_patterns(language, tenant.country)
        self._services = {code: ServiceIndex(tenant.services, pack) for code, pack in self.packs.items()}

    def read(
        self, text: str, language: str, today: dt.date, *, awaited: Awaited = Awaited.NOTHING, digits: str = ""
    ) -> Reading:
        """Read one turn. digits: of a telephone number, dictated in the turns before."""
        pack = self.packs[language]
        words = pack.words(put_right(text, pack))
        requests = read_requests(words, pack)
        intents = frozenset[Intent]().union(*(request.intents for request in requests))
        phone = find_phone(words, pack, self._tenant.country, expected=awaited is Awaited.PHONE, before=digits)
        email = find_email(text, words, pack)
        told = _told(words, requests, phone)
        mentions = self._services[language].mentions(words)
        told_mentions = [m for m in mentions if not _informs(requests, m.start)]
        return Reading(
            text=text,
            words=words,
            requests=requests,
            intents=intents,
            answer=read_answer(words, pack),
            service_id=told_mentions[-1].service_id if told_mentions else "",
            asked_service_id=mentions[-1].service_id if mentions else "",
            when=find_when(told, pack, today, time_expected=awaited in (Awaited.TIME, Awaited.CORRECTION)),
            name="" if email and awaited is not Awaited.NAME else self._name(told, pack, requests, awaited),
            phone=phone,
            email=email,
            choice=_choice(told, pack),
            any_choice=bool(pack.find(pack.any_choice, words.text)),
            disputes=bool(pack.find(pack.disputes, words.text)),
            corrects=bool(pack.find(pack.corrects, words.text)),
            fields=frozenset(field for pattern, field in pack.fields.items() if pack.find(pattern, words.text)),
            language=_language(words, pack) if Intent.LANGUAGE in intents else "",
        )

    def service_in(self, request: Request, reading: Reading, language: str) -> str:
        """The service that one request of the turn names, or ""."""
        part = Words(reading.words.tokens[request.start : request.end])
        mentions = self._services[language].mentions(part)
        return mentions[-1].service_id if mentions else ""

    def when_in(self, request: Request, reading: Reading, language: str, today: dt.date) -> When:
        """The day and time that one request of the turn names."""
        part = Words(reading.words.tokens[request.start : request.end])
        return find_when(part, self.packs[language], today)

    def respell(self, reading: Reading, language: str, name: str) -> str:
        """`name` with the spelling that the turn corrects, or ""."""
        return corrected_name(reading.words, self.packs[language], name)

    def _name(self, told: Words, pack: LanguagePack, requests: tuple[Request, ...], awaited: Awaited) -> str:
        hint = _NAME_HINTS.get(awaited, NameHint.NONE)
        if any(r.question or r.intents & _NEVER_NAMED for r in requests):
            hint = NameHint.NONE
        return find_name(told, pack, hint)


_NAME_HINTS = {Awaited.NAME: NameHint.ASKED, Awaited.CORRECTION: NameHint.CORRECTING}

_NEVER_NAMED = frozenset(set(Intent) - {Intent.GREET, Intent.THANKS, Intent.WAIT})
"""Requests that a bare name is not mixed with."""


@lru_cache(maxsize=32)
def _compile_patterns(language: str, country: str) -> None:
    """Compile every pattern of a language once per process: 60 ms that no caller should wait for."""
    pack = pack_for(language)
    single = (pack.earliest, pack.any_choice, pack.yes, pack.no, pack.no_but_fine, pack.corrects, pack.disputes)
    rest = (pack.with_letter, pack.clause_starts, pack.question, pack.opens, pack.closes, pack.asks_time, pack.feminine)
    for pattern in (*single, *rest, *pack.fields, *pack.choices, *pack.complaints.values(), *pack.intents.values()):
        bounded(pattern)
    for pattern in (*pack.name_intros, *pack.expected_name_intros):
        bounded(pattern)
    find_when(pack.words("1"), pack, dt.date(2000, 1, 1), time_expected=True)
    national_digits(country)
    find_phone(pack.words("0"), pack, country, expected=True)


def _pack(language: str) -> LanguagePack | None:
    try:
        return pack_for(language)
    except LookupError:
        return None


def _informs(requests: tuple[Request, ...], token: int) -> bool:
    return any(request.informs for request in requests if request.start <= token < request.end)


def _told(words: Words, requests: tuple[Request, ...], phone: PhoneMention | None) -> Words:
    """The words that tell something: without mere questions, and without the telephone number."""
    told = words
    for request in reversed(requests):
        if request.informs:
            told = told.without(request.start, request.end)
        elif phone is not None and request.start <= phone.start < request.end:
            told = told.without(phone.start, phone.end)
    return told


def _choice(words: Words, pack: LanguagePack) -> int | None:
    best: tuple[int, int] | None = None
    for phrase, index in pack.choices.items():
        if pack.find(phrase, words.text) and (best is None or len(phrase) > best[0]):
            best = (len(phrase), index)
    return None if best is None else best[1]


def _language(words: Words, pack: LanguagePack) -> str:
    found = pack.find(pack.intents[Intent.LANGUAGE], words.text)
    if found is None:
        return ""
    named = found.groupdict().get("language") or found.groupdict().get("other") or ""
    return pack.language_names.get(named, "")
