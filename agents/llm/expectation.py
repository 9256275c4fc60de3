"""Which answer the agent waits for, read off its own last question.

A model does not say that it asked for a phone number, but turn-taking must know to wait for all the
digits. Simple rules per language over the last question; used by `agents.llm.responder`.
"""

import re

import msgspec

from agents.understanding.phones import national_digits
from voice_core.expectation import NOTHING_EXPECTED, ExpectedSlot, SlotKind


class _Asks(msgspec.Struct, frozen=True):
    """One language: kinds in the order in which they are tried. request: asks without a question mark.

    choice: two or three short alternatives, in groups.
    """

    kinds: tuple[tuple[SlotKind, re.Pattern[str]], ...]
    request: re.Pattern[str]
    choice: re.Pattern[str]


def _word(*patterns: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(patterns)})(?!\w)", re.IGNORECASE)


def _choice(either: str, after: str) -> re.Pattern[str]:
    """Alternatives of up to four words at the end of a question. after: words that stand before them."""
    few = r"((?:[\w'’-]+ ){0,3}[\w'’-]+)"
    return re.compile(rf"^(?:.*\b(?:{after})|.*[,:¿،]|)\s*{few}(?:, {few},?)? (?:{either}) {few}\s*[?؟]", re.IGNORECASE)


_EN = _Asks(
    kinds=(
        (SlotKind.SPELLING, _word(r"spell", r"spelled", r"spelling")),
        (SlotKind.EMAIL, _word(r"e-?mail(?: address)?")),
        (
            SlotKind.YES_NO,
            _word(r"(?:is|was) (?:that|this|it)(?: all)? (?:right|correct|ok(?:ay)?|fine)", r"right", r"correct"),
        ),
        (
            SlotKind.PHONE,
            _word(
                r"(?:phone|telephone|mobile|cell|contact|callback|call-back) number",
                r"your number",
                r"number (?:can|should)",
            ),
        ),
        (
            SlotKind.NAME,
            _word(
                r"your (?:full |first |last |sur|family )?name",
                r"name (?:is|should|for|under)",
                r"who am i speaking",
                r"last name",
                r"surname",
            ),
        ),
        (SlotKind.DATE_TIME, _word(r"day and time", r"when would", r"when do you", r"when should", r"when are you")),
        (SlotKind.TIME, _word(r"what time", r"which time", r"what hour")),
        (SlotKind.DATE, _word(r"what day", r"which day", r"what date", r"which date", r"date of birth")),
        (SlotKind.NUMBER, _word(r"how many", r"how old")),
        (
            SlotKind.YES_NO,
            _word(
                r"(?:shall|should|may|can) (?:i|we)",
                r"would you like (?:me|to|us)",
                r"do you (?:want|have|need)",
                r"are you",
                r"is (?:that|this|it)",
                r"would (?:that|it)",
                r"does (?:that|it)",
                r"have you",
            ),
        ),
    ),
    request=_word(
        r"(?:please |could you |can you )?(?:tell|give|spell) me",
        r"(?:may|can|could) i (?:have|get|take)",
        r"i(?:'ll| will)? (?:just )?need your",
    ),
    choice=_choice("or", "prefer|like|want|be"),
)

_FR = _Asks(
    kinds=(
        (SlotKind.SPELLING, _word(r"épeler", r"épelez", r"épelle", r"s['’]écrit", r"s['’]épelle")),
        (SlotKind.EMAIL, _word(r"e-?mail", r"mail", r"adresse électronique", r"courriel")),
        (
            SlotKind.YES_NO,
            _word(
                r"(?:c['’]est|est-ce) (?:bien )?(?:ça|correct|exact|cela|juste)",
                r"n['’]est-ce pas",
                r"correct",
                r"d['’]accord",
            ),
        ),
        (SlotKind.PHONE, _word(r"numéro(?: de (?:téléphone|portable|mobile))?", r"votre (?:téléphone|portable)")),
        (
            SlotKind.NAME,
            _word(
                r"(?:votre|quel) (?:nom|prénom)",
                r"nom (?:et|complet|de famille)",
                r"à quel nom",
                r"vous appelez",
                r"qui ai-je",
            ),
        ),
        (
            SlotKind.DATE_TIME,
            _word(r"jour et (?:quelle |l['’])?heure", r"quand (?:souhaite|voul|désir|êtes|seriez)\w*", r"quand"),
        ),
        (SlotKind.TIME, _word(r"quelle heure", r"à quelle heure")),
        (SlotKind.DATE, _word(r"quel jour", r"quelle date", r"date de naissance")),
        (SlotKind.NUMBER, _word(r"combien", r"quel âge")),
        (
            SlotKind.YES_NO,
            _word(
                r"souhaitez-vous",
                r"voulez-vous",
                r"désirez-vous",
                r"est-ce que",
                r"puis-je",
                r"dois-je",
                r"avez-vous",
                r"êtes-vous",
                r"cela vous",
                r"ça vous",
            ),
        ),
    ),
    request=_word(
        r"(?:donn|indiqu|dit|dites|épel|précis)\w*(?:-moi)?", r"il me faut", r"j['’]ai besoin de", r"puis-je avoir"
    ),
    choice=_choice("ou", "préférez-vous|préférez|voulez-vous|plutôt"),
)

_ES = _Asks(
    kinds=(
        (SlotKind.SPELLING, _word(r"deletrear\w*", r"deletree", r"se escribe")),
        (SlotKind.EMAIL, _word(r"correo(?: electrónico)?", r"e-?mail")),
        (SlotKind.YES_NO, _word(r"(?:es|está) (?:correcto|bien|así)", r"correcto", r"verdad", r"de acuerdo")),
        (SlotKind.PHONE, _word(r"número(?: de (?:teléfono|móvil|contacto))?", r"su (?:teléfono|móvil)")),
        (
            SlotKind.NAME,
            _word(
                r"(?:su|tu|qué|cuál es su) (?:nombre|apellido)",
                r"nombre (?:y|completo)",
                r"cómo se llama",
                r"a nombre de",
            ),
        ),
        (SlotKind.DATE_TIME, _word(r"día y (?:a qué )?hora", r"cuándo")),
        (SlotKind.TIME, _word(r"(?:a )?qué hora")),
        (SlotKind.DATE, _word(r"qué día", r"qué fecha", r"fecha de nacimiento")),
        (SlotKind.NUMBER, _word(r"cuánt[oa]s", r"qué edad")),
        (
            SlotKind.YES_NO,
            _word(
                r"quiere", r"desea", r"le gustaría", r"le parece", r"puedo", r"tiene", r"está", r"es usted", r"le viene"
            ),
        ),
    ),
    request=_word(r"(?:díga|dé|indíque|deletrée)(?:me|nos)\w*", r"necesito su", r"me (?:da|dice|puede)"),
    choice=_choice("o", "prefiere|quiere|desea"),
)

_AR = _Asks(
    kinds=(
        (SlotKind.SPELLING, _word(r"تهج\w*", r"تتهج\w*", r"حرف(?:ا|اً)? حرف(?:ا|اً)?")),
        (SlotKind.EMAIL, _word(r"(?:ال)?بريد(?:ك)?(?: (?:ال)?إلكتروني)?", r"(?:ال)?إيميل(?:ك)?")),
        (SlotKind.YES_NO, _word(r"صحيح", r"هل هذا", r"ياك", r"واش هكا")),
        (
            SlotKind.PHONE,
            _word(r"رقم(?:ك)?(?: (?:ال)?هاتف(?:ك)?)?", r"هاتفك", r"(?:ال)?نمرة(?: ديالك)?", r"تيليفون(?:ك)?"),
        ),
        (SlotKind.NAME, _word(r"اسمك(?: الكامل)?", r"ما اسم", r"شنو سميتك", r"سميتك")),
        (SlotKind.TIME, _word(r"أي ساعة", r"في أي وقت", r"شحال فالساعة", r"مع شحال", r"أشمن ساعة")),
        (SlotKind.DATE, _word(r"أي يوم", r"أي تاريخ", r"أشمن نهار", r"شمن نهار")),
        (SlotKind.DATE_TIME, _word(r"متى", r"فوقاش", r"إمتى", r"امتى")),
        (SlotKind.NUMBER, _word(r"كم", r"شحال")),
        (SlotKind.YES_NO, _word(r"هل", r"واش")),
    ),
    request=_word(r"أعطني", r"أعطيني", r"عطيني", r"أخبرني", r"قل لي", r"من فضلك رقم\w*", r"ممكن"),
    choice=_choice("أو|أم|ولا", "تفضل|بغيتي"),
)

_ASKS = {"en": _EN, "fr": _FR, "es": _ES, "ar": _AR, "ary": _AR}
_SENTENCE = re.compile(r"[^.!?؟\n]+[.!?؟]*")


def expected_answer(reply: str, language: str, country: str) -> ExpectedSlot:
    """The slot that the last question of `reply` opens; NOTHING_EXPECTED when it asks nothing.

    country: ISO 3166 alpha-2, which tells how many digits a phone number has.
    """
    asks = _ASKS.get(language, _EN)
    question = _last_question(reply, asks)
    if not question:
        return NOTHING_EXPECTED
    for kind, pattern in asks.kinds:
        if kind is SlotKind.YES_NO and (choice := asks.choice.search(question)):
            return ExpectedSlot(SlotKind.CHOICE, choices=tuple(words for words in choice.groups() if words))
        if pattern.search(question):
            return ExpectedSlot(kind, digits=national_digits(country) if kind is SlotKind.PHONE else None)
    if choice := asks.choice.search(question):
        return ExpectedSlot(SlotKind.CHOICE, choices=tuple(words for words in choice.groups() if words))
    return NOTHING_EXPECTED


def _last_question(reply: str, asks: _Asks) -> str:
    for sentence in reversed(_SENTENCE.findall(reply)):
        text = sentence.strip()
        if text.endswith(("?", "؟")) or asks.request.search(text):
            return text
    return ""
