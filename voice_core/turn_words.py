"""Words that matter to turn-taking, per language: small, closed lists.

Endpointing reads the words that cannot end a sentence and the hesitations; interruption reads the
backchannels and the words that always stop the agent. All are lower case without punctuation.
"""

import re
import unicodedata

import msgspec


class TurnWords(msgspec.Struct, frozen=True):
    """The lists of one language.

    dangling: words after which a sentence goes on. fillers: hesitations. openers: words that ask a
    question when they come first. backchannels: "I am listening", not "let me speak". stops: always an
    interruption, however short. answers: one-word answers that are complete by themselves. greetings: words
    that callers begin with; hardly anybody calls to say no more than that.
    """

    dangling: frozenset[str]
    fillers: frozenset[str]
    backchannels: frozenset[str]
    stops: frozenset[str]
    answers: frozenset[str]
    greetings: frozenset[str]
    spoken_symbols: frozenset[str]


def _words(text: str) -> frozenset[str]:
    return frozenset(part.strip().replace("_", " ") for part in text.split())


_EN = TurnWords(
    dangling=_words(
        "and or but so because if when while although though unless until since than that "
        "which who whose whom "
        "a an the my your his her our their its this these to of in on at for from with "
        "without by about into onto "
        "over under between through during before after as is are was were am be been being do "
        "does did have has had "
        "will would can could shall should may might must i i'm i'd i'll i've we he she they "
        "you're we're it's there's "
        "not very really just maybe like also either neither let's please dear mr mrs ms dr "
        "need want wanna gonna "
        "number name is"
    ),
    fillers=_words("um uh er erm hmm hm well so like actually let_me_see you_know i_mean let's_see"),
    backchannels=_words(
        "mm mhm mm-hm mm-hmm mmhmm mmm hm hmm uh-huh uhuh uh_huh mm_hm mm_hmm yeah yep yes yup "
        "ok okay right sure i_see "
        "got_it alright all_right great good cool aha ah oh fine perfect exactly of_course nice huh"
    ),
    stops=_words("no stop wait hold_on hang_on excuse_me sorry hello pardon actually but what"),
    answers=_words("yes no yeah yep nope ok okay sure right correct hello hi bye goodbye thanks please exactly none"),
    greetings=_words("hello hi hey good morning afternoon evening there"),
    spoken_symbols=_words("at dot dash hyphen underscore point plus"),
)
_FR = TurnWords(
    dangling=_words(
        "et ou mais donc car parce que qu' si quand lorsque comme alors puis dont où qui quoi "
        "le la les l' un une des du de "
        "d' au aux à en dans sur sous pour par avec sans chez vers entre pendant avant après "
        "depuis contre mon ma mes ton "
        "ta tes son sa ses notre nos votre vos leur leurs ce cet cette ces je j' tu il elle on "
        "nous vous ils elles est "
        "suis sont était serait ai as a avons avez ont voudrais veux peux peut pourrais faut "
        "ne n' pas très plus moins "
        "aussi c'est c' s' se me m' te y monsieur madame docteur numéro nom m'appelle parce_que est-ce"
    ),
    fillers=_words("euh heu hum ben bah bon alors voilà enfin en_fait du_coup"),
    backchannels=_words(
        "mm mhm hm hmm hum mmh oui ouais ok okay d'accord dac entendu très_bien bien bon "
        "parfait je_vois ah oh "
        "super voilà exactement c'est_ça bien_sûr tout_à_fait mm-hm mm_hm"
    ),
    stops=_words("non stop attendez attends pardon excusez-moi excusez_moi mais allô allo quoi"),
    answers=_words("oui non ouais ok d'accord bonjour merci exactement voilà si allô aucun bonsoir parfait"),
    greetings=_words("bonjour bonsoir allô allo salut madame monsieur mesdames"),
    spoken_symbols=_words("arobase point tiret underscore plus"),
)
_ES = TurnWords(
    dangling=_words(
        "y o pero porque que si cuando como aunque entonces pues donde quien cual el la los "
        "las un una unos unas de del al "
        "a en con sin por para sobre entre hasta desde hacia según mi tu su mis tus sus "
        "nuestro nuestra este esta estos "
        "estas ese esa yo tú él ella nosotros es son era está estoy soy he ha han quiero "
        "quisiera puedo puede necesito no "
        "muy más menos también me te se lo le señor señora doctor número nombre llamo"
    ),
    fillers=_words("eh este mmm pues bueno o_sea a_ver"),
    backchannels=_words(
        "mm mhm hm ajá aja sí si vale ok okay claro bueno bien ya entiendo perfecto de_acuerdo "
        "muy_bien exacto ah oh eso"
    ),
    stops=_words("no para espere espera perdón perdone disculpe oiga pero qué hola"),
    answers=_words("sí si no vale ok claro hola gracias exacto adiós ninguno"),
    greetings=_words("hola buenos buenas buen día días tardes noches"),
    spoken_symbols=_words("arroba punto guión guion más"),
)
_AR = TurnWords(
    dangling=_words(
        "و أو ثم لكن لأن إذا عندما الذي التي أن إن في من إلى على عن مع بدون بين قبل بعد منذ "
        "حتى هذا هذه أنا أريد اريد رقم اسمي هو هي كان يا غير كل"
    ),
    fillers=_words("اه آه امم يعني طيب"),
    backchannels=_words("نعم أيوه ايوه أيوا حسنا طيب تمام اه آه صح مفهوم اوكي أجل ممتاز"),
    stops=_words("لا قف انتظر لحظة عفوا لكن ماذا مرحبا ألو"),
    answers=_words("نعم لا أجل تمام مرحبا شكرا ألو"),
    greetings=_words("مرحبا أهلا السلام عليكم صباح مساء الخير"),
    spoken_symbols=_words("نقطة شرطة"),
)
_ARY = TurnWords(
    dangling=_AR.dangling | _words("باش حيت ديال بغيت ولا ولكن فين مع عند راه اللي سميتي نمرة"),
    fillers=_AR.fillers | _words("يعني زعما"),
    backchannels=_AR.backchannels | _words("واخا إيه ايه مزيان صافي wakha iyeh mzyan safi ok"),
    stops=_AR.stops | _words("بلاتي صبر سمح_ليا blati la"),
    answers=_AR.answers | _words("واخا إيه ايه لا صافي wakha la iyeh"),
    greetings=_AR.greetings | _words("سلام salam"),
    spoken_symbols=_AR.spoken_symbols,
)

TURN_WORDS = {"en": _EN, "fr": _FR, "es": _ES, "ar": _AR, "ary": _ARY}

_WORD = re.compile(r"[\w'’\-]+", re.UNICODE)


def turn_words(language: str) -> TurnWords:
    """The lists of a language; English for one that has none."""
    return TURN_WORDS.get(language, _EN)


def split_words(text: str) -> list[str]:
    """Words of a transcript as the lists write them: lower case, straight apostrophes, no punctuation."""
    plain = unicodedata.normalize("NFC", text).lower().replace("’", "'")
    return [word.strip("-'") if len(word) > 1 and not word.endswith("'") else word for word in _WORD.findall(plain)]
