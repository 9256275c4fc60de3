"""E-mail addresses, written or said: "marie dot curie at gmail dot com".

Called by `agents.understanding.understand`; nothing asks for an address yet, one that is volunteered
is kept with the booking.
"""

import re

from agents.understanding.language_pack import LanguagePack
from agents.understanding.language_text import Words

_WRITTEN = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


def find_email(text: str, words: Words, pack: LanguagePack) -> str:
    """The address in a turn, lower case, or ""."""
    written = _WRITTEN.search(text.replace(" @ ", "@"))
    if written:
        return written.group().lower().rstrip(".")
    tokens = words.plains
    for at, word in enumerate(tokens):
        if word in pack.email_at:
            local = _collect(tokens, range(at - 1, -1, -1), pack)
            domain = _collect(tokens, range(at + 1, len(tokens)), pack)
            if local and "." in domain.strip("."):
                return f"{local}@{domain}"
    return ""


def _collect(tokens: tuple[str, ...], order: range, pack: LanguagePack) -> str:
    """Words joined by marks or single letters, walking away from the at sign."""
    parts: list[str] = []
    for index in order:
        word = tokens[index]
        mark = pack.email_marks.get(word)
        joins = not parts or mark is not None or parts[-1] in ".-_" or (len(word) == 1 and len(parts[-1]) == 1)
        if not joins:
            break
        parts.append(mark or word)
    ordered = parts if order.step > 0 else list(reversed(parts))
    return "".join(ordered).strip(".")
