"""One tenant's YAML file: read, checked, with every fault named where it stands.

The file and a configuration that comes by API or command pass the same checks; only what points at a fault differs.
Called by `context.tenants.folder` and `store`.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from context.errors import TenantFileError
from context.located_yaml import FOUND_LIMIT_CHARS, Document, Fault, LocatedError
from context.located_yaml import Path as ValuePath
from context.tenants.checks import Check, Finding, findings, findings_in_store
from context.tenants.config import TenantConfig
from context.tenants.errors import TenantInvalidError, WrongValue

SECRET_FIELDS = frozenset({"keys", "engines", "engine_keys"})
"""Fields whose values stay out of messages: somebody may have pasted an API key into them."""

_SHORT_TIME = re.compile(r"(\d|[01]\d|2[0-3]):[0-5]\d")


def key_digest(key: str) -> str:
    """What `keys` of a tenant's file holds for an API key: its SHA-256 in hex."""
    return hashlib.sha256(key.encode()).hexdigest()


def load_tenant(path: Path, *also: Check) -> TenantConfig:
    """Read and check one tenant's file. also: further checks.

    Raises TenantFileError, which names every fault with its place.
    """
    try:
        document = Document(path.read_text(encoding="utf-8"))
        _spell_out_times(document.data)
        tenant = document.convert(TenantConfig, SECRET_FIELDS)
    except (OSError, UnicodeDecodeError) as error:
        raise unusable(path, [Fault(0, "$", f"cannot be read as UTF-8 text: {error}")]) from error
    except LocatedError as error:
        raise unusable(path, [error.fault]) from error
    found: list[Finding] = [*findings(tenant)]
    for check in also:
        found += check(tenant)
    faults = [document.fault(where, allowed, quote=_may_quote(where)) for where, allowed in found]
    if faults:
        raise unusable(path, faults)
    return tenant


def check_stored(tenant: TenantConfig, *also: Check) -> None:
    """Check a configuration that is to be kept in the database. Raises TenantInvalidError with every fault."""
    found: list[Finding] = []
    for check in (findings, findings_in_store, *also):
        found += check(tenant)
    if found:
        plain = msgspec.to_builtins(tenant)
        raise TenantInvalidError(tenant.id, [_wrong_value(plain, where, allowed) for where, allowed in found])


def unusable(path: Path, faults: Sequence[Fault]) -> TenantFileError:
    """The error of a file with these faults."""
    return TenantFileError("\n".join([f"{path} is not usable:", *(f"  {fault}" for fault in faults)]))


def _may_quote(where: ValuePath) -> bool:
    return where[0] not in SECRET_FIELDS


def _wrong_value(data: Any, where: ValuePath, allowed: str) -> WrongValue:
    value = data
    for step in where:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            value = None
            break
    shown = repr(value) if _may_quote(where) and value is not None else ""
    if len(shown) > FOUND_LIMIT_CHARS:
        shown = shown[: FOUND_LIMIT_CHARS - 3] + "..."
    path = "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where)
    return WrongValue(path, shown, allowed)


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
