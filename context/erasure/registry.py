"""Who keeps personal data: each package that does says here how it is copied and how it is removed.

A table that nobody answers for would survive an erasure; so providers are listed in one place, and a test finds the
tables that no provider names. Asked by `export` and `erase`, which know no table themselves.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from context.store.transaction import TenantTransaction


class Subject(msgspec.Struct, frozen=True):
    """The person, by everything that names them in the tenant's data.

    phones: E.164. emails: as stored. call_ids: of their calls, whatever table they are in.
    """

    contact_id: str
    phones: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    call_ids: frozenset[str] = frozenset()


class PersonalData(Protocol):
    """The personal data of one package. Both calls run in one transaction of the subject's tenant."""

    @property
    def name(self) -> str:
        """What it is, for the export and the certificate: "bookings"."""
        ...

    async def export(self, transaction: TenantTransaction, subject: Subject) -> list[dict[str, Any]]:
        """Everything kept about the person, as plain JSON."""
        ...

    async def erase(self, transaction: TenantTransaction, subject: Subject) -> int:
        """Remove or blank it; how many rows were changed. Erasing what is gone already changes none."""
        ...


class PersonalDataRegistry:
    """Every provider of the installation, in the order of erasure."""

    def __init__(self, providers: Sequence[PersonalData] = ()) -> None:
        self._providers: dict[str, PersonalData] = {}
        for provider in providers:
            self.add(provider)

    def add(self, provider: PersonalData) -> None:
        """Take a provider in. Raises ValueError when one of its name is there."""
        if provider.name in self._providers:
            raise ValueError(f"two providers of personal data are called {provider.name!r}")
        self._providers[provider.name] = provider

    @property
    def providers(self) -> tuple[PersonalData, ...]:
        """Each of them, in the order they were added."""
        return tuple(self._providers.values())
