"""What a caller's own words say about need, time, money and authority, with the words themselves.

Phrases per language, most telling level first; what nobody said stays unknown rather than guessed. The newest telling
turn counts, because people make up their minds while they talk. Called by `server.rest.qualify`.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

from agents.qualification import Authority, Bant, Budget, Need, Timeline
from agents.understanding.language_text import plain

LONGEST_QUOTE = 200
"""Characters."""

_L = TypeVar("_L", bound=StrEnum)

Phrases = Mapping[str, Sequence[str]]
"""Language -> regular expressions over plain text (lower case, no accents)."""

_AMOUNT = r"\b\d[\d ., ]*\s*(?:k\b|euros?|eur\b|dollars?|usd\b|mad\b|dirhams?|€|\$)|[€$]\s*\d"

NEED: dict[Need, Phrases] = {
    Need.LOW: {
        "en": (
            r"just (?:a question|asking|wondering)",
            r"not (?:really )?(?:interested|sure (?:i|we) need)",
            r"\bmaybe (?:later|one day)",
        ),
        "fr": (r"juste une question", r"pas (?:vraiment )?(?:interesse|besoin)", r"peut-etre (?:plus tard|un jour)"),
        "es": (r"solo una pregunta", r"no me interesa", r"quizas mas adelante"),
    },
    Need.HIGH: {
        "en": (r"\b(?:i|we) (?:really |urgently |badly )?need\b", r"\bmust have\b", r"it hurts", r"\bin pain\b"),
        "fr": (r"\b(?:j'ai|nous avons|on a) (?:vraiment |absolument )?besoin", r"il (?:me|nous) faut", r"j'ai mal"),
        "es": (r"\b(?:necesito|necesitamos)\b", r"me hace falta", r"me duele"),
    },
    Need.MEDIUM: {
        "en": (r"\b(?:i'?d|i would|we'?d|we would) like", r"\binterested in\b", r"\blooking for\b"),
        "fr": (r"\b(?:je voudrais|j'aimerais|nous aimerions|on voudrait)", r"interesse", r"\bcherch(?:e|ons)\b"),
        "es": (r"\b(?:quisiera|me gustaria|queremos|quiero)\b", r"interesad", r"\bbusc(?:o|amos)\b"),
    },
}

TIMELINE: dict[Timeline, Phrases] = {
    Timeline.EXPLORING: {
        "en": (r"just (?:looking|browsing|curious)", r"no (?:hurry|rush)", r"some ?day"),
        "fr": (r"je me renseigne", r"pas presse", r"un jour"),
        "es": (r"solo (?:mirando|informandome)", r"sin prisa", r"algun dia"),
    },
    Timeline.IMMEDIATE: {
        "en": (
            r"\burgent",
            r"as soon as possible",
            r"\basap\b",
            r"right (?:now|away)",
            r"\b(?:today|tomorrow|tonight|this week)\b",
        ),
        "fr": (
            r"\burgen(?:t|ce)",
            r"des que possible",
            r"le plus (?:vite|tot) possible",
            r"tout de suite",
            r"\b(?:aujourd'hui|demain|ce soir|cette semaine)\b",
        ),
        "es": (
            r"\burgen(?:te|cia)",
            r"cuanto antes",
            r"lo antes posible",
            r"ahora mismo",
            r"\b(?:hoy|manana|esta semana)\b",
        ),
    },
    Timeline.THIS_QUARTER: {
        "en": (r"\b(?:this|next) (?:month|quarter)\b", r"\bnext week\b", r"in (?:a few|two|three) weeks"),
        "fr": (
            r"\b(?:ce mois|le mois prochain|ce trimestre|la semaine prochaine)",
            r"dans (?:quelques|deux|trois) semaines",
        ),
        "es": (
            r"\b(?:este mes|el mes que viene|este trimestre|la semana que viene|la proxima semana)",
            r"en (?:unas|dos|tres) semanas",
        ),
    },
    Timeline.THIS_YEAR: {
        "en": (r"\bthis year\b", r"by the end of the year", r"in (?:a few|six) months"),
        "fr": (r"\bcette annee\b", r"d'ici la fin de l'annee", r"dans (?:quelques|six) mois"),
        "es": (r"\beste ano\b", r"antes de fin de ano", r"en (?:unos|seis) meses"),
    },
}

BUDGET: dict[Budget, Phrases] = {
    Budget.LIMITED: {
        "en": (r"(?:tight|small|limited|low) budget", r"(?:can'?t|cannot) (?:afford|spend)", r"too expensive"),
        "fr": (r"petit budget", r"budget (?:serre|limite)", r"trop cher", r"pas les moyens"),
        "es": (r"poco presupuesto", r"presupuesto (?:ajustado|limitado)", r"demasiado caro"),
    },
    Budget.FLEXIBLE: {
        "en": (
            r"budget is (?:flexible|open)",
            r"flexible budget",
            r"(?:price|money) (?:is not|isn'?t) (?:a|the) (?:problem|issue)",
        ),
        "fr": (r"budget (?:est )?(?:flexible|ouvert)", r"le prix n'est pas un probleme"),
        "es": (r"presupuesto (?:es )?flexible", r"el precio no es (?:un )?problema"),
    },
    Budget.DEFINED: {
        "en": (r"budget (?:of|is) (?:about |around |up to )?\d", _AMOUNT),
        "fr": (r"budget (?:de|est de|c'est) (?:environ |jusqu'a )?\d", _AMOUNT),
        "es": (r"presupuesto (?:de|es de) (?:unos |hasta )?\d", _AMOUNT),
    },
}

AUTHORITY: dict[Authority, Phrases] = {
    Authority.INFLUENCER: {
        "en": (r"(?:ask|talk to|check with) my (?:boss|manager|wife|husband|partner)", r"i(?:'ll| will) recommend"),
        "fr": (
            r"(?:demander|parler|voir) (?:a|avec) m(?:on|a) (?:patron|patronne|chef|mari|femme|associe)",
            r"en parler a m(?:on|a)",
        ),
        "es": (r"(?:preguntar|hablar|consultar)(?:lo)? (?:a|con) mi (?:jefe|jefa|marido|mujer|socio)",),
    },
    Authority.DECISION_MAKER: {
        "en": (
            r"\bi(?:'m| am) the (?:owner|boss|manager|director|ceo|founder)",
            r"\bi (?:decide|make the decision)",
            r"\bmy (?:company|business|shop|clinic)\b",
        ),
        "fr": (
            r"je suis (?:le|la) (?:gerante?|patronn?e?|direct(?:eur|rice)|proprietaire|responsable)",
            r"c'est moi qui decide",
            r"je decide",
            r"\bm(?:on|a) (?:entreprise|societe|boutique|cabinet)\b",
        ),
        "es": (
            r"soy (?:el|la) (?:duen[oa]|jef[ea]|direct(?:or|ora)|gerente|responsable)",
            r"yo decido",
            r"\bmi (?:empresa|negocio|tienda)\b",
        ),
    },
    Authority.USER: {
        "en": (r"\bi(?:'d| would) (?:only )?use it", r"i work (?:for|at)\b"),
        "fr": (r"je l'utiliserai", r"je travaille (?:pour|chez)\b"),
        "es": (r"yo lo usaria", r"trabajo (?:para|en)\b"),
    },
}


def evidence(turns: Sequence[str], language: str) -> Bant:
    """What the caller's turns say, oldest first. language: en, fr or es; any other tells nothing."""
    quotes: dict[str, str] = {}
    need = _newest(turns, language, "need", NEED, quotes)
    timeline = _newest(turns, language, "timeline", TIMELINE, quotes)
    budget = _newest(turns, language, "budget", BUDGET, quotes)
    authority = _newest(turns, language, "authority", AUTHORITY, quotes)
    return Bant(
        need or Need.UNKNOWN,
        timeline or Timeline.EXPLORING,
        budget or Budget.UNKNOWN,
        authority or Authority.UNKNOWN,
        quotes,
    )


def _newest(
    turns: Sequence[str], language: str, part: str, levels: Mapping[_L, Phrases], quotes: dict[str, str]
) -> _L | None:
    for turn in reversed(turns):
        text = plain(turn)
        for level, phrases in levels.items():
            if any(_compiled(phrase).search(text) for phrase in phrases.get(language, ())):
                quotes[part] = turn.strip()[:LONGEST_QUOTE]
                return level
    return None


@lru_cache(maxsize=512)
def _compiled(phrase: str) -> re.Pattern[str]:
    return re.compile(phrase)
