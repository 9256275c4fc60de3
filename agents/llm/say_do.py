"""The say-do check: the agent never says that it did something that no tool did.

The model's text flows through. As long as what it says last cannot become a claim it leaves at once;
a possible claim waits for its sentence, and a claim waits until the tools of the turn have run: then
it is said if it became true and replaced if it did not. Rule based, for en, fr, es, ar and ary;
used by `agents.llm.responder`.
"""

from collections.abc import Iterable
from enum import Enum

import msgspec
import regex  # the standard module cannot tell that a text may still become a match


class Deed(Enum):
    """Something the agent may claim to have done."""

    BOOKED = "booked"
    SENT = "sent"


class _Rules(msgspec.Struct, frozen=True):
    """One language. claims: what a claim looks like.

    undone: before the claim, in the same clause, it makes the claim a condition or a denial.
    """

    claims: dict[Deed, regex.Pattern[str]]
    undone: regex.Pattern[str]


def _any(*patterns: str) -> regex.Pattern[str]:
    return regex.compile(r"(?<!\w)(?:" + "|".join(patterns) + ")", regex.IGNORECASE)


_EN = _Rules(
    claims={
        Deed.BOOKED: _any(
            r"(?:i|we)(?:['’]ve| have)?(?: just| now| already| gone ahead and)* "
            r"(?:booked|reserved|scheduled|confirmed)\b",
            r"(?:i|we)(?:['’]ve| have) (?:put|got|added|pencill?ed) you (?:in|down)\b",
            r"you(?:['’]re| are)(?: now| all| already)* (?:booked|scheduled|confirmed|set for)\b",
            r"(?:it|that|everything)(?:['’]s| is| has been)(?: now| all)* (?:booked|reserved|scheduled|confirmed)\b",
            r"(?:(?:your|the|this) )?(?:appointment|booking|reservation)(?: \w+){0,6}? "
            r"(?:is|has been|was)(?: now| all)* "
            r"(?:booked|made|reserved|scheduled|confirmed|set)\b",
            r"(?:all|done, (?:you['’]re )?)(?: now)? (?:booked|confirmed)\b",
            r"(?:(?:your|the) )?(?:booking|appointment|reservation) confirmed\b",
        ),
        Deed.SENT: _any(
            r"(?:i|we)(?:['’]ve| have)?(?: just| now)* (?:sent|texted|emailed|e-mailed) (?:you|it|the|a|an)\b",
        ),
    },
    undone=_any(
        r"not",
        r"once",
        r"when",
        r"if",
        r"after",
        r"before",
        r"as soon as",
        r"until",
        r"unless",
        r"nothing",
        r"would",
        r"shall",
        r"should",
        r"could",
    ),
)

_FR = _Rules(
    claims={
        Deed.BOOKED: _any(
            r"(?:j['’]ai|nous avons|je vous ai)(?: bien| donc)* "
            r"(?:réservé|enregistré|confirmé|fixé|programmé|inscrite?)\b",
            r"(?:j['’]ai|nous avons)(?: bien)* (?:pris|noté) (?:votre |le |un )?rendez-vous\b",
            r"je viens de (?:réserver|confirmer|fixer|prendre)\b",
            r"(?:c['’]est|tout est|vous êtes)(?: bien| maintenant)* (?:réservée?|confirmée?|enregistrée?|inscrite?)\b",
            r"(?:(?:votre|le|la|ce) )?(?:rendez-vous|réservation)(?: \w+){0,6}? (?:est|a été)(?: bien| maintenant)* "
            r"(?:réservée?|confirmée?|enregistrée?|prise?|fixée?|notée?|programmée?)\b",
            r"(?:rendez-vous confirmé|réservation confirmée)\b",
        ),
        Deed.SENT: _any(r"(?:je vous ai|j['’]ai|je viens de vous)(?: bien)* (?:envoyée?|envoyer|adressée?)\b"),
    },
    undone=_any(
        r"ne", r"n['’]", r"pas", r"dès que", r"une fois", r"quand", r"lorsque", r"si", r"après", r"avant", r"rien"
    ),
)

_ES = _Rules(
    claims={
        Deed.BOOKED: _any(
            r"(?:he|hemos)(?: ya)? (?:reservado|agendado|confirmado|programado|apuntado)\b",
            r"acabo de (?:reservar|agendar|confirmar|programar)\b",
            r"(?:(?:su|tu|la|esta) )?(?:cita|reserva)(?: \w+){0,6}? (?:ya )?(?:está|queda|ha sido|ha quedado)(?: ya)? "
            r"(?:reservada|agendada|confirmada|programada|hecha)\b",
            r"(?:está|queda|todo)(?: todo| ya)* (?:reservad|agendad|confirmad|programad)[oa]\b",
            r"(?:cita|reserva) confirmada\b",
        ),
        Deed.SENT: _any(r"(?:le|te) (?:he|acabo de) (?:enviado|mandado|enviar|mandar)\b"),
    },
    undone=_any(r"no", r"cuando", r"si", r"una vez", r"después", r"antes", r"en cuanto", r"nada"),
)

_AR = _Rules(
    claims={
        Deed.BOOKED: _any(
            r"تم(?:ت)? (?:ال)?(?:حجز|تأكيد|تسجيل)",
            r"(?:لقد )?(?:حجزت|أكدت|سجلت) (?:لك|ليك|موعد|ال)",
            r"موعدك (?:مؤكد|محجوز)",
            r"(?:راه )?تحجز(?:ات)? (?:لك|ليك)",
            r"صافي (?:حجزت|تحجز)",
        ),
        Deed.SENT: _any(r"(?:أرسلت|بعثت|صيفطت) (?:لك|ليك|إليك)", r"تم إرسال"),
    },
    undone=_any(r"لم", r"لن", r"إذا", r"بعد أن", r"عندما", r"قبل", r"ما", r"يلا", r"ملي"),
)

_RULES = {"en": _EN, "fr": _FR, "es": _ES, "ar": _AR, "ary": _AR}

_SENTENCE_END = regex.compile(r"[.!?؟…](?=\s)|\n")
_CLAUSE_END = regex.compile(r"[,;:،]\s*(?=\S)")


def claimed_deeds(sentence: str, language: str) -> frozenset[Deed]:
    """What one sentence claims was done. Questions, conditions and denials claim nothing."""
    rules = _RULES.get(language, _EN)
    if sentence.rstrip().endswith(("?", "؟")):
        return frozenset()
    return frozenset(
        deed
        for deed, pattern in rules.claims.items()
        if (found := pattern.search(sentence))
        and not rules.undone.search(_CLAUSE_END.split(sentence[: found.start()])[-1])
    )


class SayDoCheck:
    """Lets one reply's text through. `replacements`: what is said in place of an untrue claim.

    Text is given with `feed`; after each round of the model `settle` or `retract` is told what was
    done by then.
    `caught` holds the claims that were replaced.
    """

    def __init__(self, language: str, replacements: dict[Deed, str]) -> None:
        self.caught: list[Deed] = []
        self._language = language
        self._claims = tuple(_RULES.get(language, _EN).claims.values())
        self._replacements = replacements
        self._said_of_sentence = ""
        self._waiting = ""

    def feed(self, text: str) -> str:
        """Take the next piece; return what can be said now, "" for nothing."""
        self._waiting += text
        said = ""
        while end := _SENTENCE_END.search(self._waiting):
            if claimed_deeds(self._said_of_sentence + self._waiting[: end.end()], self._language):
                # Everything after the claim waits with it, so that the order stays.
                return said
            said += self._waiting[: end.end()]
            self._waiting = self._waiting[end.end() :]
            self._said_of_sentence = ""
        free = self._free_length()
        said += self._waiting[:free]
        self._said_of_sentence += self._waiting[:free]
        self._waiting = self._waiting[free:]
        return said

    def settle(self, done: Iterable[Deed]) -> str:
        """The reply is over and `done` is true: return the text that waited, untrue claims replaced."""
        true = set(done)
        said = ""
        for sentence in _sentences(self._waiting):
            untrue = sorted(
                (deed for deed in claimed_deeds(self._said_of_sentence + sentence, self._language) if deed not in true),
                key=lambda deed: deed.value,
            )
            self._said_of_sentence = ""
            if untrue:
                self.caught.extend(untrue)
                space_before, space_after = sentence[:1].isspace(), sentence[-1:].isspace()
                sentence = " " * space_before + self._replacements[untrue[0]] + " " * space_after
            said += sentence
        self._waiting = ""
        return said

    def retract(self, done: Iterable[Deed]) -> str:
        """Another round follows: return the text that waited up to the first untrue claim, drop the rest."""
        true = set(done)
        said = ""
        for sentence in _sentences(self._waiting):
            if claimed_deeds(self._said_of_sentence + sentence, self._language) - true:
                break
            said += sentence
            self._said_of_sentence = ""
        self._waiting = ""
        self._said_of_sentence = ""
        return said

    def claims_untruth(self, done: Iterable[Deed]) -> bool:
        """Whether the text that waits claims something that is not in `done`."""
        true = set(done)
        sentences = _sentences(self._said_of_sentence + self._waiting)
        return any(claimed_deeds(sentence, self._language) - true for sentence in sentences)

    def _free_length(self) -> int:
        """How much of the unfinished sentence lies before anything that is a claim or may become one."""
        starts = [
            found.start()
            for pattern in self._claims
            if (found := pattern.search(self._waiting, partial=True)) and found.start() < len(self._waiting)
        ]
        return min(starts, default=len(self._waiting))


def _sentences(text: str) -> list[str]:
    pieces: list[str] = []
    while end := _SENTENCE_END.search(text):
        pieces.append(text[: end.end()])
        text = text[end.end() :]
    return [*pieces, text] if text else pieces
