"""What Whisper writes when nobody spoke.

Trained on subtitles, it turns noise into "Thank you." or a subtitler's credit. Its own estimate that
nobody spoke and the low probability of such words tell most of them; the phrases seen most often
need less proof. Used by `voice_core.asr.whisper`.
"""

from voice_core.asr.loops import bare

NO_SPEECH_LIMIT = 0.45
"""Probability of silence above which words are doubted.

On 3 s pieces of street, office, music and babble noise both models gave more than this; of 150
recordings of speech longer than a word two did, with likely words.
"""
LOGPROB_LIMIT = -1.0
"""Mean log probability below which doubted words are dropped (OpenAI Whisper's own threshold)."""
SHORT_S = 1.2
"""Lone words ("two", "oui") look like noise to the model: below this only the phrases are dropped."""
FAINT_LOGPROB = -0.35
"""A stock phrase more likely than this was said, silence or not."""

_STOCK_PHRASES = frozenset(
    {
        "you",
        "thank you",
        "thank you for watching",
        "thank you for watching this video",
        "thank you so much for watching",
        "thank you very much",
        "thanks",
        "thanks for watching",
        "bye",
        "bye-bye",
        "i",
        "i'm",
        "oh",
        "the",
        "so",
        "merci",
        "merci d'avoir regardé cette vidéo",
        "merci d'avoir regardé la vidéo",
        "abonnez-vous",
        "musique",
        "gracias",
        "gracias por ver el video",
        "suscríbete",
        "adiós",
        "hasta la próxima",
        "y",
        "شكرا",
        "شكرا للمشاهدة",
        "اشتركوا في القناة",
        "ترجمة نانسي قنقر",
    }
)
_CREDITS = (
    "sous-titr",
    "amara.org",
    "subtítulos",
    "subtitles by",
    "subs by",
    "radio-canada",
    "société radio",
    "transcribed by",
)
"""Parts of subtitlers' credits: nobody says them to a telephone."""


def is_hallucination(text: str, logprob: float, no_speech: float, duration_s: float, *, looped: bool = False) -> bool:
    """Whether `text` is more likely invented than said.

    logprob: mean natural log probability of its tokens. no_speech: probability that nobody spoke.
    looped: the decoder repeated itself, which makes its words likely without reason.
    """
    words = " ".join(word for written in text.split() if (word := bare(written)))
    if not any(character.isalnum() for character in words):
        return True
    if any(credit in words for credit in _CREDITS):
        return True
    if no_speech < NO_SPEECH_LIMIT:
        return False
    if looped:
        return True
    if words in _STOCK_PHRASES:
        return logprob < FAINT_LOGPROB
    return duration_s > SHORT_S and logprob < LOGPROB_LIMIT
