"""What people say when they promise something or tell something about themselves, in the languages of the product.

Short lists on purpose: a promise that is missed can be heard again in the transcript, one that nobody made would be
told to the next caller as true. Called by `context.contacts.extraction` with one sentence at a time.
"""

import re
from collections.abc import Mapping

import msgspec

from context.contacts.box import CommitmentKind

VALUE_LIMIT_CHARS = 80


class Promise(msgspec.Struct, frozen=True):
    """A promise in a sentence. due: as it was said, "" when no time was named."""

    kind: CommitmentKind
    due: str


class Statement(msgspec.Struct, frozen=True):
    """Something that a caller said of themselves."""

    type: str
    value: str
    confidence: float


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


_SOMEBODY = r"(?:we|i|someone|somebody|they|team|colleague)"

_PROMISES: Mapping[tuple[str, str], tuple[tuple[CommitmentKind, re.Pattern[str]], ...]] = {
    ("en", "agent"): (
        (
            CommitmentKind.CALLBACK,
            _any(
                rf"\b{_SOMEBODY}(?:'ll| will) (?:\w+ )?(?:call|ring|phone) (?:you|back)\b",
                rf"\b{_SOMEBODY}(?:'ll| will) (?:\w+ )?get back to you\b",
            ),
        ),
        (
            CommitmentKind.INFORMATION,
            _any(r"\b(?:we|i|someone|they)(?:'ll| will) (?:\w+ )?(?:send|e-?mail|text) you\b"),
        ),
    ),
    ("en", "caller"): (
        (
            CommitmentKind.CALLBACK,
            _any(r"\bi(?:'ll| will) (?:call|ring|phone)(?: you)? back\b", r"\bi(?:'ll| will) get back to you\b"),
        ),
        (CommitmentKind.PAYMENT, _any(r"\bi(?:'ll| will) (?:pay|transfer|send the money)\b")),
    ),
    ("fr", "agent"): (
        (
            CommitmentKind.CALLBACK,
            _any(
                r"\bvous (?:rappeller(?:a|ai|ons|ont)|rappelons|rappelle|recontacter(?:a|ai|ons|ont)|recontacte)\b",
            ),
        ),
        (CommitmentKind.INFORMATION, _any(r"\b(?:je|nous|on) vous (?:envoie|envoyons|enverrai|enverrons|enverra)\b")),
    ),
    ("fr", "caller"): (
        (CommitmentKind.CALLBACK, _any(r"\bje (?:vous )?rappeller(?:ai)\b", r"\bje (?:vous )?rappelle\b")),
        (CommitmentKind.PAYMENT, _any(r"\bje (?:vous )?(?:paierai|réglerai)\b", r"\bje (?:ferai|fais) le virement\b")),
    ),
    ("es", "agent"): (
        (
            CommitmentKind.CALLBACK,
            _any(r"\b(?:le|la|lo|te) (?:llamaremos|llamaré|llamarán|llamará|devolveremos la llamada)\b"),
        ),
        (CommitmentKind.INFORMATION, _any(r"\b(?:le|te) (?:enviaremos|enviaré|enviarán|mandaré|mandaremos)\b")),
    ),
    ("es", "caller"): (
        (CommitmentKind.CALLBACK, _any(r"\b(?:volveré a llamar|vuelvo a llamar|(?:os|les|le) llamaré)\b")),
        (CommitmentKind.PAYMENT, _any(r"\b(?:pagaré|haré la transferencia)\b")),
    ),
    ("ar", "agent"): (
        (
            CommitmentKind.CALLBACK,
            _any(r"(?:سنتصل|سأتصل|سيتصل) ب(?:ك|كم)", r"سنعاود الاتصال", r"غادي (?:نتاصلو|نعيطو|يعيط)"),
        ),
        (CommitmentKind.INFORMATION, _any(r"(?:سنرسل|سأرسل) ل(?:ك|كم)", r"غادي (?:نصيفطو|نرسلو)")),
    ),
    ("ar", "caller"): (
        (CommitmentKind.CALLBACK, _any(r"سأعاود الاتصال", r"سأتصل (?:بكم|مرة أخرى)", r"غادي نعاود نعيط")),
        (CommitmentKind.PAYMENT, _any(r"سأدفع", r"غادي نخلص")),
    ),
}
"""Language and role -> what counts as which promise."""

_DUE = _any(
    r"\b(?:this|tomorrow|monday|tuesday|wednesday|thursday|friday|saturday|sunday)(?: (?:morning|afternoon|evening))\b",
    r"\b(?:today|tonight|tomorrow|next week|monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b",
    r"\bwithin \w+ (?:minutes?|hours?|days?)\b",
    r"\b(?:demain|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)(?: (?:matin|midi|après-midi|soir))?\b",
    r"\b(?:aujourd'hui|cet après-midi|ce soir|ce matin|la semaine prochaine)",
    r"\bdans (?:les )?\w+ (?:minutes?|heures?|jours?)\b",
    r"\b(?:hoy|mañana|esta tarde|esta noche|la semana que viene)\b",
    r"\b(?:el )?(?:lunes|martes|miércoles|jueves|viernes|sábado|domingo)\b",
    r"(?:اليوم|غدا|غدًا|غدا صباحا|الأسبوع القادم|دابا)",
)

_NO_PROMISE = _any(
    r"[?؟]",
    r"^(?:if|unless|shall|should|si|dès que|إذا)\b",
    r"\b(?:won't|will not|can't|cannot|never)\b",
    r"\bne (?:vous )?\w+ (?:pas|plus|jamais)\b",
    r"\b(?:no|nunca) (?:le|la|lo|te|os|les)\b",
    r"(?:^|\s)(?:لن|ما غادي)\s",
)
"""Questions, conditions and refusals."""

_AMOUNT = r"(?P<value>[€$£]?\s?\d[\d.,  ]*(?:k\b|euros?|dollars?|pounds?|dirhams?|dh\b|€|\$|£|درهم|يورو)?)"
_NAME = r"(?P<value>[A-ZÀ-Ý][\w&'’-]*(?: [A-ZÀ-Ý][\w&'’-]*){0,3})"
_REST = r"(?P<value>[^.?!,;؟،]{3,60})"

_STATEMENTS: Mapping[str, tuple[tuple[str, float, re.Pattern[str]], ...]] = {
    "en": (
        (
            "budget",
            0.75,
            re.compile(rf"\bmy budget (?:is|would be) (?:about |around |up to )?{_AMOUNT}", re.IGNORECASE),
        ),
        ("company", 0.7, re.compile(rf"\b(?:[Ii] work (?:for|at)|[Ii](?:'m| am) calling from) {_NAME}")),
        ("preference", 0.7, re.compile(rf"\bi(?:'d| would)? prefer {_REST}", re.IGNORECASE)),
        (
            "relation",
            0.75,
            re.compile(
                r"\bi(?:'m| am) (?:already )?(?:an? )(?:existing |regular )?(?P<value>client|customer|patient)\b",
                re.IGNORECASE,
            ),
        ),
    ),
    "fr": (
        (
            "budget",
            0.75,
            re.compile(
                rf"\b(?:mon|notre) budget (?:est|serait) (?:de |d'environ |d’environ )?{_AMOUNT}", re.IGNORECASE
            ),
        ),
        ("company", 0.7, re.compile(rf"\b[Jj]e (?:travaille (?:chez|pour)|vous appelle de chez|suis de chez) {_NAME}")),
        ("preference", 0.7, re.compile(rf"\bje préf(?:ère|érerais|érerai) {_REST}", re.IGNORECASE)),
        ("relation", 0.75, re.compile(r"\bje suis (?:déjà )?(?:une? )?(?P<value>cliente?|patiente?)\b", re.IGNORECASE)),
    ),
    "es": (
        ("budget", 0.75, re.compile(rf"\b(?:mi|nuestro) presupuesto es (?:de )?(?:unos )?{_AMOUNT}", re.IGNORECASE)),
        ("company", 0.7, re.compile(rf"\b[Tt]rabajo (?:en|para) {_NAME}")),
        ("preference", 0.7, re.compile(rf"\b(?:prefiero|preferiría) {_REST}", re.IGNORECASE)),
        ("relation", 0.75, re.compile(r"\b(?:ya )?soy (?:un |una )?(?P<value>cliente|paciente)\b", re.IGNORECASE)),
    ),
    "ar": (
        ("budget", 0.75, re.compile(rf"ميزانيتي (?:هي |حوالي )?{_AMOUNT}")),
        ("preference", 0.7, re.compile(rf"(?:أفضل|كنفضل) {_REST}")),
    ),
}
"""Language -> type, confidence and pattern of what callers say of themselves. Recognition mishears: nothing that was
only said is as sure as what a tool took and read back."""


def promise_in(sentence: str, role: str, language: str) -> Promise | None:
    """The promise that this side makes in a sentence. role: "agent" or "caller"."""
    if _NO_PROMISE.search(sentence):
        return None
    for kind, pattern in _PROMISES.get((_spoken(language), role), ()):
        if pattern.search(sentence):
            due = _DUE.search(sentence)
            return Promise(kind, due.group().strip() if due else "")
    return None


def statements_in(sentence: str, language: str) -> list[Statement]:
    """What a caller says of themselves in a sentence."""
    found: list[Statement] = []
    for type_, confidence, pattern in _STATEMENTS.get(_spoken(language), ()):
        match = pattern.search(sentence)
        value = match["value"].strip(" .,")[:VALUE_LIMIT_CHARS] if match else ""
        if value:
            found.append(Statement(type_, value, confidence))
    return found


def _spoken(language: str) -> str:
    """Moroccan Arabic is written with the words of both."""
    code = language.lower().split("-")[0]
    return "ar" if code == "ary" else code
