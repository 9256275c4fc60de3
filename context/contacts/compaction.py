"""Keeps a box small: the newest 60 % of what was said stays word for word, the rest becomes a summary.

The summary is extractive, the sentences that tell most in the words they were said in: nothing is invented, no model is
needed, and the same box always gives the same summary. Facts, promises and open slots are never touched. Called by
`context.contacts.boxes` after a call and by the job that finds stale boxes.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

import msgspec

from context.contacts.box import ContextBox, HistoryEntry, HistoryKind, Turn
from context.contacts.tokens import count_tokens

KEPT_SHARE = 0.6
TURNS_LIMIT = 60
"""A box with more turns is compacted when it is stored."""

STALE_TURNS_LIMIT = 10
"""The same for a box that is stale: whoever calls after a day needs the gist."""

HISTORY_LIMIT = 500
SUMMARY_LIMIT_TOKENS = 400
SENTENCE_LIMIT_CHARS = 240

ALWAYS_KEPT = frozenset({HistoryKind.STATE, HistoryKind.MERGE, HistoryKind.HANDOFF})
"""History that explains where the box stands."""

_SENTENCE = re.compile(r"[^.!?؟…]+[.!?؟…]*")
_WORD = re.compile(r"\w{4,}")
CALLER_WEIGHT = 1.5
FIGURE_WEIGHT = 1.0


def compacted(box: ContextBox, turns_limit: int = TURNS_LIMIT) -> ContextBox:
    """The box with at most so many turns, and a summary of those that had to go; itself when it fits."""
    turns, gone = box.turns, list[Turn]()
    while len(turns) > turns_limit:
        kept = math.ceil(len(turns) * KEPT_SHARE)
        gone.extend(turns[: len(turns) - kept])
        turns = turns[len(turns) - kept :]
    history = _short_history(box.history)
    if not gone and history is box.history:
        return box
    summary = summarised(box.summary, gone) if gone else box.summary
    return msgspec.structs.replace(box, turns=turns, summary=summary, history=history)


def summarised(before: str, turns: Sequence[Turn]) -> str:
    """The sentences that tell most, oldest first, one a line as "role: words", within `SUMMARY_LIMIT_TOKENS`.

    before: an earlier summary, whose sentences compete with the new ones.
    """
    lines = list(dict.fromkeys((*before.splitlines(), *(line for turn in turns for line in _sentences(turn)))))
    words = [set(_WORD.findall(line.casefold())) for line in lines]
    spread = Counter(word for found in words for word in found)
    by_score = sorted(range(len(lines)), key=lambda at: (-_score(lines[at], words[at], spread), at))
    chosen: list[int] = []
    left = SUMMARY_LIMIT_TOKENS
    for at in by_score:
        cost = count_tokens(lines[at]) + 1
        if cost <= left:
            chosen.append(at)
            left -= cost
    return "\n".join(lines[at] for at in sorted(chosen))


def _sentences(turn: Turn) -> list[str]:
    parts = (" ".join(part.split()) for part in _SENTENCE.findall(turn.text))
    return [f"{turn.role}: {part[:SENTENCE_LIMIT_CHARS]}" for part in parts if _WORD.search(part) or part.isdigit()]


def _score(line: str, words: set[str], spread: Counter[str]) -> float:
    # Words that come back are what the conversation is about; a long sentence must not win by its length.
    score = sum(spread[word] for word in words) / (len(words) + 3)
    score += FIGURE_WEIGHT if any(character.isdigit() for character in line) else 0.0
    return score * (CALLER_WEIGHT if line.startswith("caller:") else 1.0)


def _short_history(history: tuple[HistoryEntry, ...]) -> tuple[HistoryEntry, ...]:
    if len(history) <= HISTORY_LIMIT:
        return history
    newest = len(history) - math.ceil(HISTORY_LIMIT * KEPT_SHARE)
    return tuple(entry for at, entry in enumerate(history) if at >= newest or entry.kind in ALWAYS_KEPT)
