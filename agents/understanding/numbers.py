"""Numbers said in words: "thirty-four", "soixante-dix-huit", "the twenty fourth".

The dates and times parser reads text in which they have become figures; the phone parser needs every
way to read a run of them. Tables come from the language pack.
"""

from agents.understanding.language_pack import LanguagePack
from agents.understanding.language_text import Token, Words

MAX_PHRASE_TOKENS = 5
"""ninety-nine is four French words; a spare one for "et"."""


def readings(tokens: tuple[Token, ...], at: int, pack: LanguagePack) -> list[tuple[str, int]]:
    """Every number that begins at token `at`: (figures, tokens used), longest first.

    "soixante dix huit" reads as 78, 70 and 60. Figures stay as written ("06" keeps its zero).
    """
    if tokens[at].is_number:
        return [(tokens[at].plain, 1)]
    found: list[tuple[str, int]] = []
    phrase = ""
    for length in range(1, min(MAX_PHRASE_TOKENS, len(tokens) - at) + 1):
        phrase = f"{phrase} {tokens[at + length - 1].plain}".strip()
        value = pack.cardinals.get(phrase)
        if value is not None:
            found.append((str(value), length))
    found.reverse()
    return found


def ordinal(tokens: tuple[Token, ...], at: int, pack: LanguagePack) -> tuple[int, int] | None:
    """The ordinal that begins at token `at`: (value, tokens used), or None."""
    if tokens[at].is_number:
        suffixed = at + 1 < len(tokens) and tokens[at + 1].plain in pack.ordinal_suffixes
        return (int(tokens[at].plain), 2) if suffixed and not tokens[at + 1].gap.strip() else None
    for length in range(min(3, len(tokens) - at), 0, -1):
        value = pack.ordinals.get(" ".join(token.plain for token in tokens[at : at + length]))
        if value is not None:
            return value, length
    return None


def in_figures(words: Words, pack: LanguagePack) -> str:
    """The text with numbers as figures and ordinals as "24th", in every language."""
    tokens = words.tokens
    out: list[Token] = []
    at = 0
    while at < len(tokens):
        ranked = ordinal(tokens, at, pack)
        numbers = [] if ranked else readings(tokens, at, pack)
        if ranked is not None:
            out.append(Token(f"{ranked[0]}th", "", " "))
            at += ranked[1]
        elif numbers:
            figures, used = numbers[0]
            out.append(Token(figures, figures, tokens[at].gap))
            at += used
        else:
            out.append(tokens[at])
            at += 1
    return Words(out).text
