"""The tenant's knowledge base as the models' tools see it: words in, facts out.

One index per language, made when the language is first spoken. Handed to `LlmResponder` and its
tools by `server.composition`.
"""

from collections.abc import Sequence

from agents.knowledge import Knowledge
from agents.understanding.language_pack import pack_for
from context.tenants.config import Fact, TenantConfig


class FactSearch:
    """Looks up facts of one tenant; shared by its calls."""

    def __init__(self, tenant: TenantConfig) -> None:
        self._tenant = tenant
        self._indexes: dict[str, Knowledge | None] = {}

    def __call__(self, query: str, language: str) -> Sequence[Fact]:
        """The facts that answer `query`, best first; [] when none does or the language has no index."""
        if language not in self._indexes:
            self._indexes[language] = self._index(language)
        index = self._indexes[language]
        found = index.find(query) if index is not None else None
        return [found.fact] if found is not None else []

    def _index(self, language: str) -> Knowledge | None:
        try:
            return Knowledge(self._tenant.facts, pack_for(language))
        except LookupError:
            return None
