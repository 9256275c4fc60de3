"""How many tokens of a language model a text costs at most.

The model and its tokenizer are the tenant's choice and need not be on this machine, so this is a rule on the safe side
of the common ones: a word costs a token for every three letters begun, each letter of a word that nobody could say or
that is in capitals costs one, and so does a digit or a sign; whatever is not ASCII costs its bytes, which byte-level
tokenizers cannot exceed. Called by `context.contacts.view` and `compaction`.
"""

import re

LETTERS_PER_TOKEN = 3

_PIECE = re.compile(r"(?P<word>[A-Z]?[a-z]+)|(?P<capitals>[A-Za-z]+)|(?P<spaces> +)|(?P<other>.)", re.DOTALL)
_UNSAYABLE = re.compile(r"[^aeiouyAEIOUY]{4}")


def count_tokens(text: str) -> int:
    """Tokens, rounded up. Lines count alone: a text costs its lines and one for each line break."""
    return sum(_cost(piece) for piece in _PIECE.finditer(text))


def _cost(piece: re.Match[str]) -> int:
    text = piece.group()
    match piece.lastgroup:
        case "word" if not _UNSAYABLE.search(text):
            return -(-len(text) // LETTERS_PER_TOKEN)
        case "spaces":
            return len(text) - 1  # the space before a word is part of its token
        case _:
            return len(text.encode("utf-8", "replace"))
