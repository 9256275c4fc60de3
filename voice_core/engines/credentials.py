"""Whose account an engine is used on: the installation's, or a tenant's own.

Engines are shared by all who use the same account, and by nobody else: one tenant's wrong key must neither be paid for
nor felt by another. Made by `voice_core.engines.registry` for each tenant.
"""

import hashlib
from collections.abc import Mapping

from voice_core.engines.providers import PROVIDERS
from voice_core.errors import EngineUnavailable

TAG_DIGITS = 8


class Credentials:
    """API keys by provider. environment: the installation's variables. own: provider -> key of the tenant.

    Raises EngineUnavailable for a provider that is not known or takes no single key.
    """

    def __init__(self, environment: Mapping[str, str], own: Mapping[str, str]) -> None:
        self._environment = environment
        self._own = dict(own)
        for provider in own:
            known = PROVIDERS.get(provider)
            if known is None or len(known.keys) != 1:
                allowed = ", ".join(sorted(name for name, p in PROVIDERS.items() if len(p.keys) == 1))
                raise EngineUnavailable(f"engine_keys: {provider!r} takes no key of one's own; allowed: {allowed}")

    def __repr__(self) -> str:
        return f"Credentials(own={sorted(self._own)})"

    def environment(self, provider: str) -> Mapping[str, str]:
        """The variables that an engine of this provider is built with."""
        if provider not in self._own:
            return self._environment
        return {**self._environment, PROVIDERS[provider].keys[0]: self._own[provider]}

    def tag(self, provider: str) -> str:
        """Tells accounts apart in names of engines: "" for the installation's."""
        if provider not in self._own:
            return ""
        return "#" + hashlib.sha256(self._own[provider].encode()).hexdigest()[:TAG_DIGITS]
