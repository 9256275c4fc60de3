"""A caller's name: introduced, given bare, or spelled letter by letter.

Called by `agents.understanding.understand`. A recogniser may write any case, so a name is what stands
after "my name is" up to a word that cannot be part of one; spelled letters win over what was heard.
"""

import re
from enum import Enum

from rapidfuzz.distance import OSA

from agents.understanding.language_pack import Intent, LanguagePack, bounded
from agents.understanding.language_text import Token, Words, plain

MAX_NAME_WORDS = 5
MIN_SPELLED_LETTERS = 3
SAME_WORD_DISTANCE = 0.5
"""Share of letters that may differ between a word as heard and as spelled."""

_STOP_GAP = re.compile(r"[.,;:!?]")
_SOUNDS_LIKE = {
    "k": "cq", "c": "ksq", "s": "czx", "z": "sx", "y": "i", "i": "ye", "f": "p", "ph": "f", "j": "g", "g": "j",
    "w": "v", "v": "wb", "b": "pv", "p": "b", "t": "d", "d": "t", "m": "n", "n": "m", "e": "ai", "a": "e", "o": "a",
}  # fmt: skip
"""Letter -> letters that a recogniser may have written for it."""


class NameHint(Enum):
    """How much reason there is to look for a name."""

    NONE = "none"
    CORRECTING = "correcting"
    """Something was read back: "it's Curie" may correct it."""
    ASKED = "asked"
    """The name was asked for: the whole turn may be one."""


def find_name(words: Words, pack: LanguagePack, hint: NameHint) -> str:
    """The name in a turn, capitalised, or ""."""
    name = _introduced(words, pack, pack.name_intros, strict=hint is NameHint.NONE) or _for_whom(words, pack)
    if not name and hint is not NameHint.NONE:
        name = _introduced(words, pack, pack.expected_name_intros, strict=False)
    spelled = spelled_word(words, pack) if name or hint is not NameHint.NONE else ""
    only_spelled = bool(spelled) and len(words.tokens[0].plain) == 1
    if not name and hint is NameHint.ASKED and not only_spelled:
        name = _bare(words, pack)
    return merged_name(name, spelled.capitalize()) if spelled else name


def corrected_name(words: Words, pack: LanguagePack, name: str) -> str:
    """`name` as changed by a correction such as "it's Curie with a K"; "" when the turn holds none."""
    found = pack.find(pack.with_letter, words.text)
    if not found or not name:
        return ""
    letter = found.group("letter")
    parts = name.split(" ")
    before = words.plains[: words.index_at(found.start())]
    at = next((i for i, part in enumerate(parts) if plain(part) in before), len(parts) - 1)
    parts[at] = _respelled(parts[at], letter)
    return " ".join(parts)


def merged_name(name: str, given: str) -> str:
    """`name` after `given` was said: a full name replaces it, one word replaces the part it resembles.

    A word that resembles no part is the surname: in place of the last part, or behind the only one.
    """
    parts = [part for part in name.split(" ") if part]
    if not given or not parts or " " in given:
        return given or name
    distances = [OSA.normalized_distance(plain(part), plain(given)) for part in parts]
    nearest = min(range(len(parts)), key=distances.__getitem__)
    if distances[nearest] <= SAME_WORD_DISTANCE:
        parts[nearest] = given
    elif len(parts) > 1:
        parts[-1] = given
    else:
        parts.append(given)
    return " ".join(parts)


def spelled_word(words: Words, pack: LanguagePack) -> str:
    """Letters that were spelled: "C U R I E", "C comme Célestin, U, R", "double r" -> "curie"."""
    letters: list[str] = []
    best = ""
    tokens = words.plains
    at = 0
    while at < len(tokens):
        named = next((n for n in (2, 1) if " ".join(tokens[at : at + n]) in pack.letter_names), 0)
        word = tokens[at]
        if named:
            letters.append(pack.letter_names[" ".join(tokens[at : at + named])])
            at += named
        elif word in pack.digit_repeats and at + 1 < len(tokens) and len(tokens[at + 1]) == 1:
            letters.append(tokens[at + 1] * pack.digit_repeats[word])
            at += 2
        elif len(word) == 1 and word.isalpha():
            letters.append(word)
            at += 1
        else:
            example = re.match(pack.spelled_as, " ".join(tokens[at : at + 3])) if letters else None
            if example is None:
                best = max(best, "".join(letters), key=len)
                letters = []
                at += 1
            else:
                at += len(example.group().split()) + 1
    best = max(best, "".join(letters), key=len)
    return best if len(best) >= MIN_SPELLED_LETTERS else ""


def _introduced(words: Words, pack: LanguagePack, intros: tuple[str, ...], *, strict: bool) -> str:
    for intro in intros:
        found = pack.find(intro, words.text)
        if found:
            at = words.index_at(found.end())
            if at < len(words):
                taken = _collect(words.tokens[at:], pack, strict=strict)
                if taken:
                    return _written(taken, pack)
    return ""


def _for_whom(words: Words, pack: LanguagePack) -> str:
    """ "An appointment for Marie Curie": a full name in capitals that is neither a day nor a month."""
    calendar = {word for group in (*pack.weekdays, *pack.months) for word in group}
    for found in bounded(pack.name_for).finditer(words.text):
        following = words.tokens[words.index_at(found.end()) :][:2]
        capitals = len(following) == 2 and all(t.written[:1].isupper() and t.plain not in calendar for t in following)
        taken = _collect(words.tokens[words.index_at(found.end()) :], pack, strict=True) if capitals else []
        if len(taken) > 1:
            return _written(taken, pack)
    return ""


def _bare(words: Words, pack: LanguagePack) -> str:
    """The whole turn as a name, once the words around it are taken off; "" when it is something else."""
    tokens = list(words.tokens)
    while tokens and tokens[0].plain not in pack.name_particles and _leads(tokens[0].plain, pack):
        tokens.pop(0)
    # Past a comma people spell, thank or explain.
    if not tokens or any("?" in token.gap for token in tokens):
        return ""
    taken = _collect(tuple(tokens), pack, strict=False)
    rest = tokens[len(taken) + (tokens[0].plain in pack.honorifics) :]
    aside = not rest or _STOP_GAP.search(rest[0].gap)
    polite = all(len(t.plain) == 1 or t.plain in pack.stop | pack.common for t in rest)
    return _written(taken, pack) if taken and (aside or polite) else ""


def _leads(word: str, pack: LanguagePack) -> bool:
    """Whether it may stand before a name without being part of it."""
    return word in pack.stop or bool(pack.find(f"{pack.yes}|{pack.intents[Intent.GREET]}", word))


def _collect(tokens: tuple[Token, ...], pack: LanguagePack, *, strict: bool) -> list[Token]:
    """Name words from the first token on. strict: only words written with a capital, if any is."""
    taken: list[Token] = []
    capitals = any(t.written[:1].isupper() for t in tokens[:MAX_NAME_WORDS])
    for index, token in enumerate(tokens):
        if index == 0 and token.plain in pack.honorifics:
            continue
        if len(taken) >= MAX_NAME_WORDS or (taken and _STOP_GAP.search(token.gap) and token.gap.strip() != "-"):
            break
        particle = token.plain in pack.name_particles
        if not particle and (
            token.is_number
            or len(token.plain) == 1
            or token.plain in pack.name_stops | pack.common
            or token.plain in pack.cardinals
        ):
            break
        if strict and capitals and not token.written[:1].isupper() and not particle:
            break
        taken.append(token)
    while taken and taken[-1].plain in pack.name_particles:
        taken.pop()
    return taken


def _written(tokens: list[Token], pack: LanguagePack) -> str:
    out = ""
    for index, token in enumerate(tokens):
        word = token.written
        if token.plain in pack.name_particles and index > 0:
            word = word.lower()
        elif not any(c.isupper() for c in word[1:]) or word.isupper():
            word = word.capitalize()
        joint = "" if not out else token.gap if token.gap in ("-", "'", "’") else " "
        out += joint + word
    return out


def _respelled(word: str, letter: str) -> str:
    low = plain(word)
    if letter in low:
        return word  # the recogniser has spelled it that way already
    at = next((low.index(other) for other in _SOUNDS_LIKE.get(letter, "") if other in low), 0)
    out = word[:at] + letter + word[at + 1 :]
    return out[0].upper() + out[1:]
