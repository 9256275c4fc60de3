"""Tenants from their YAML files, and the directory that finds the tenant a caller wants.

A file with a fault never replaces a version that worked: the directory keeps the old one and
reports the fault. Loaded at start-up by the server; telephony asks it who a key belongs to.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from context.errors import TenantFileError
from context.located_yaml import Document, Fault, LocatedError
from context.tenants.checks import findings
from context.tenants.config import TenantConfig

SECRET_FIELDS = frozenset({"keys", "engines"})
"""Fields whose values stay out of messages: somebody may have pasted an API key into them."""

_SHORT_TIME = re.compile(r"(\d|[01]\d|2[0-3]):[0-5]\d")


def key_digest(key: str) -> str:
    """What `keys` of a tenant's file holds for an API key: its SHA-256 in hex."""
    return hashlib.sha256(key.encode()).hexdigest()


def load_tenant(path: Path) -> TenantConfig:
    """Read and check one tenant's file. Raises TenantFileError, which names every fault with its place."""
    try:
        document = Document(path.read_text(encoding="utf-8"))
        _spell_out_times(document.data)
        tenant = document.convert(TenantConfig, SECRET_FIELDS)
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, [Fault(0, "$", f"cannot be read as UTF-8 text: {error}")]) from error
    except LocatedError as error:
        raise _unusable(path, [error.fault]) from error
    faults = [
        document.fault(where, allowed, quote=where[0] not in SECRET_FIELDS) for where, allowed in findings(tenant)
    ]
    if faults:
        raise _unusable(path, faults)
    return tenant


class TenantDirectory:
    """The tenants of one server.

    folder: the operator's `*.yaml`. builtin: files that come with Parley; one of the folder with the
    same id takes its place. Reads nothing until `reload`.
    """

    def __init__(self, folder: Path, builtin: Sequence[Path] = ()) -> None:
        self._folder = folder
        self._builtin = tuple(builtin)
        self._good: dict[Path, TenantConfig] = {}
        self._by_id: dict[str, TenantConfig] = {}

    def reload(self) -> list[TenantFileError]:
        """Read every file again and return what is wrong with some of them.

        A file that is not usable any more keeps its last good version; one that is gone takes its
        tenant with it.
        """
        problems: list[TenantFileError] = []
        own = sorted(self._folder.glob("*.yaml"))
        read: dict[Path, TenantConfig] = {}
        for path in (*own, *self._builtin):
            try:
                read[path] = load_tenant(path)
            except TenantFileError as error:
                problems.append(error)
                if path in self._good:
                    read[path] = self._good[path]
        by_id: dict[str, TenantConfig] = {}
        for path, tenant in read.items():
            if tenant.id in by_id and path in self._builtin:
                continue
            clash = _clash(tenant, by_id)
            if clash:
                problems.append(_unusable(path, [clash]))
            else:
                by_id[tenant.id] = tenant
        self._good, self._by_id = read, by_id
        return problems

    @property
    def tenants(self) -> tuple[TenantConfig, ...]:
        """Every tenant: the folder's by file name, then the built-in ones."""
        return tuple(self._by_id.values())

    def by_id(self, tenant_id: str) -> TenantConfig | None:
        """The tenant with this id."""
        return self._by_id.get(tenant_id)

    def by_key(self, key: str) -> TenantConfig | None:
        """The tenant that this API key opens. Takes as long for a wrong key as for a right one."""
        digest = key_digest(key)
        found: TenantConfig | None = None
        for tenant in self._by_id.values():
            for known in tenant.keys:
                if hmac.compare_digest(known, digest):
                    found = tenant
        return found

    def without_key(self, *, loopback: bool) -> TenantConfig | None:
        """The tenant that answers a caller who has no key: from this machine only, if one is set to."""
        if not loopback:
            return None
        return next((tenant for tenant in self._by_id.values() if tenant.loopback_without_key), None)


def _clash(tenant: TenantConfig, others: Mapping[str, TenantConfig]) -> Fault | None:
    """What this tenant shares with another one and must not."""
    if tenant.id in others:
        return Fault(0, "$.id", f"$.id: another file has the tenant id {tenant.id!r} already")
    for other in others.values():
        if set(tenant.keys) & set(other.keys):
            return Fault(0, "$.keys", f"$.keys: a key opens the tenant {other.id!r} already")
    return None


def _spell_out_times(data: Any) -> None:
    """Turn `9:00` into the `09:00:00` that msgspec reads; anything else stays, to be refused by it."""
    for openings in _mapping(_mapping(data).get("hours")).values():
        for opening in cast(list[Any], openings) if isinstance(openings, list) else []:
            for end in ("opens", "closes"):
                time = _mapping(opening).get(end)
                if isinstance(time, str) and _SHORT_TIME.fullmatch(time):
                    opening[end] = f"{time:0>5}:00"


def _mapping(data: Any) -> dict[str, Any]:
    return cast(dict[str, Any], data) if isinstance(data, dict) else {}


def _unusable(path: Path, faults: Sequence[Fault]) -> TenantFileError:
    return TenantFileError("\n".join([f"{path} is not usable:", *(f"  {fault}" for fault in faults)]))
