"""The directory of all tenants: those of the operator's files and those of the database, looked up in memory.

Whoever answers a call asks here, so every question is answered at once, and an unknown number, key or id finds nobody:
there is no default tenant. What is new is prepared by subscribers (engines, prompts) before it is seen here; what
cannot be used leaves the last good version in place and is reported. Kept up to date by `watch`, off the path of calls.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path

import msgspec
import structlog

from context.errors import ContextError, TenantFileError
from context.tenants.checks import Check
from context.tenants.claims import Claims
from context.tenants.config import TenantConfig
from context.tenants.errors import TenantSuspendedError, UnknownTenantError
from context.tenants.folder import FileTenant, TenantFolder
from context.tenants.lifecycle import TAKING_CALLS, TenantState
from context.tenants.numbers import e164
from context.tenants.store import Probe, StoredTenant, StoredTenants
from context.tenants.tenant_file import key_digest, unusable

WATCH_INTERVAL_S = 1.0
"""How often files and database are looked at: a change is in use within two seconds."""

RETRY_S = 30.0
"""How long a tenant that could not be prepared waits for the next try: what it needs may be back by then."""

log = structlog.get_logger(__name__)


class ChangeKind(Enum):
    """What happened to a tenant. OPENED: it takes calls from now on. CLOSED: no more, for whatever reason."""

    OPENED = "opened"
    CHANGED = "changed"
    CLOSED = "closed"


class TenantChange(msgspec.Struct, frozen=True):
    """A change of the tenants that take calls. tenant: as it is now; as it was, when closed."""

    kind: ChangeKind
    tenant: TenantConfig


class AlertKind(Enum):
    """Whether something broke or works again."""

    BROKEN = "broken"
    MENDED = "mended"


class TenantAlert(msgspec.Struct, frozen=True):
    """A tenant's configuration cannot be used, or can again. message: for the operator; it may quote values."""

    kind: AlertKind
    code: str
    message: str


ChangeHandler = Callable[[TenantChange], Awaitable[None]]
"""Called before an opened or changed tenant is seen in the directory (raising keeps the version before) and after a
closed one has gone."""

AlertHandler = Callable[[TenantAlert], Awaitable[None]]


class Source(Enum):
    """Where a tenant is defined."""

    FILE = "file"
    BUILTIN = "builtin"
    STORE = "store"


class TenantEntry(msgspec.Struct, frozen=True):
    """A tenant and where it stands. version: 0 for one of a file. path: of that file."""

    config: TenantConfig
    state: TenantState
    source: Source
    version: int = 0
    path: Path | None = None

    @property
    def open(self) -> bool:
        """Whether it takes calls and its keys open something."""
        return self.state in TAKING_CALLS


class _Unprepared(msgspec.Struct, frozen=True):
    """A configuration that a subscriber could not prepare. retry_at: of the clock."""

    config: TenantConfig
    fault: ContextError
    retry_at: float


class _View:
    """One consistent picture of all tenants, replaced as a whole."""

    def __init__(self, entries: Mapping[str, TenantEntry]) -> None:
        self.entries = dict(entries)
        opened = [entry.config for entry in self.entries.values() if entry.open]
        self.tenants = tuple(opened)
        self.by_key = {digest: tenant for tenant in opened for digest in tenant.keys}
        self.by_number = {number: tenant for tenant in opened for number in tenant.numbers}


class TenantDirectory:
    """The tenants of one server.

    folder: the operator's `*.yaml`. builtin: files that come with Parley; a tenant of the folder or the database with
    the same id takes its place. stored: tenants of the database. also: further checks of the files. clock: monotonic
    seconds. Reads nothing until `reload` or `refresh`.
    """

    def __init__(
        self,
        folder: Path,
        builtin: Sequence[Path] = (),
        stored: StoredTenants | None = None,
        also: Sequence[Check] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._folder = TenantFolder(folder, builtin, also)
        self._stored = stored
        self._rows: dict[str, StoredTenant] = {}
        self._probe: Probe | None = None
        self._view = _View({})
        self._reported: dict[str, ContextError] = {}
        self._unprepared: dict[str, _Unprepared] = {}
        self._on_change: list[ChangeHandler] = []
        self._on_alert: list[AlertHandler] = []
        self._refreshing = asyncio.Lock()

    @property
    def tenants(self) -> tuple[TenantConfig, ...]:
        """Every tenant that takes calls: the folder's by file name, the built-in ones, then those of the database."""
        return self._view.tenants

    def by_id(self, tenant_id: str) -> TenantConfig | None:
        """The tenant with this id, whether it takes calls or not."""
        entry = self._view.entries.get(tenant_id)
        return entry.config if entry else None

    def by_key(self, key: str) -> TenantConfig | None:
        """The tenant whose file names this API key, when it takes calls."""
        return self._view.by_key.get(key_digest(key))

    def by_number(self, number: str) -> TenantConfig | None:
        """The tenant that this number reaches, when it takes calls. Any usual spelling: +33..., 0033..., tel:, sip:."""
        return self._view.by_number.get(number) or self._view.by_number.get(e164(number))

    def without_key(self, *, loopback: bool) -> TenantConfig | None:
        """The tenant that answers a caller who has no key: from this machine only, if one is set to."""
        if not loopback:
            return None
        return next((tenant for tenant in self._view.tenants if tenant.loopback_without_key), None)

    def state_of(self, tenant_id: str) -> TenantState | None:
        """The state of a tenant; a file's is always active. None when there is no such tenant."""
        entry = self._view.entries.get(tenant_id)
        return entry.state if entry else None

    def entry(self, tenant_id: str) -> TenantEntry | None:
        """A tenant with its state, version and source, None when there is no such tenant."""
        return self._view.entries.get(tenant_id)

    @property
    def entries(self) -> tuple[TenantEntry, ...]:
        """Every tenant by id, also those that take no calls."""
        return tuple(entry for _, entry in sorted(self._view.entries.items()))

    def serving(self, tenant_id: str) -> TenantConfig:
        """The tenant, if it may be served now. Raises UnknownTenantError and TenantSuspendedError."""
        entry = self._view.entries.get(tenant_id)
        if entry is None:
            raise UnknownTenantError(f"there is no tenant {tenant_id!r}")
        if not entry.open:
            raise TenantSuspendedError(f"the tenant {tenant_id!r} is {entry.state}: it takes no call and no request")
        return entry.config

    def on_change(self, handler: ChangeHandler) -> None:
        """Tell `handler` of every change that `refresh` finds."""
        self._on_change.append(handler)

    def on_alert(self, handler: AlertHandler) -> None:
        """Tell `handler` once of each fault that `refresh` finds, and once when it is mended."""
        self._on_alert.append(handler)

    def reload(self) -> list[TenantFileError]:
        """Read every file again, tell nobody, and return what is wrong with some of them. For the start.

        A file that is not usable any more keeps its last good version; one that is gone takes its tenant with it.
        """
        self._folder.read_all()
        entries, clashes = self._combined()
        self._view = _View(entries)
        return [*self._folder.faults, *clashes]

    async def refresh(self) -> list[ContextError]:
        """Read what has changed, let subscribers prepare it, then use it. Returns everything that is wrong now.

        Raises StoreError when the database cannot be read; what was known stays in use.
        """
        async with self._refreshing:
            files_changed = await asyncio.to_thread(self._folder.read)
            rows_changed = await self._read_rows()
            if files_changed or rows_changed or self._unprepared:
                wanted, clashes = self._combined()
                await self._apply(wanted)
                faults: list[ContextError] = [*self._folder.faults, *clashes]
                faults += [unprepared.fault for unprepared in self._unprepared.values()]
                await self._report({str(fault): fault for fault in faults})
            return list(self._reported.values())

    async def watch(self, interval_s: float = WATCH_INTERVAL_S) -> None:
        """Refresh again and again until cancelled; a database that fails is tried again."""
        while True:
            await asyncio.sleep(interval_s)
            try:
                await self.refresh()
            except ContextError as error:
                log.warning("tenants_not_refreshed", code=error.code)
            except Exception:
                # A fault in one round must not end the watching for good.
                log.exception("tenants_not_refreshed")

    async def _read_rows(self) -> bool:
        """Bring `_rows` up to date; whether anything changed."""
        if self._stored is None:
            return False
        probe = await self._stored.probe()
        if probe == self._probe:
            return False
        versions = await self._stored.versions()
        known = {id_: row for id_, row in self._rows.items() if versions.get(id_) == row.version}
        new = await self._stored.some(sorted(versions.keys() - known.keys()))
        rows = dict(sorted({**known, **new}.items()))
        # A row that changed while the others were read has changed the next probe too.
        self._rows, self._probe = rows, probe
        return True

    def _combined(self) -> tuple[dict[str, TenantEntry], list[TenantFileError]]:
        """All tenants as they should be, and the files that clash with another tenant.

        The database's come first, because its numbers are unique already; a file that clashes keeps the version that
        is in use, if that one still fits.
        """
        stored = {
            tenant_id: TenantEntry(row.config, row.state, Source.STORE, row.version)
            for tenant_id, row in self._rows.items()
        }
        claims = Claims()
        for entry in stored.values():
            claims.take(entry.config, f"the tenant {entry.config.id!r} of the database")
        clashes: list[TenantFileError] = []
        entries: dict[str, TenantEntry] = {}
        for file in self._folder.tenants:
            builtin = file.path in self._folder.builtin
            if builtin and (file.config.id in entries or file.config.id in stored):
                continue
            config = file.config
            clash = claims.clash(config)
            if clash:
                clashes.append(unusable(file.path, [clash]))
                used = self._in_use(file)
                if used is None or claims.clash(used):
                    continue
                config = used
            claims.take(config, f"the tenant {config.id!r} of {file.path}")
            source = Source.BUILTIN if builtin else Source.FILE
            entries[config.id] = TenantEntry(config, TenantState.ACTIVE, source, path=file.path)
        return {**entries, **stored}, clashes

    def _in_use(self, file: FileTenant) -> TenantConfig | None:
        return next((entry.config for entry in self._view.entries.values() if entry.path == file.path), None)

    async def _apply(self, wanted: Mapping[str, TenantEntry]) -> None:
        """Prepare and use what is wanted; an entry that cannot be prepared stays as it is."""
        now = self._view.entries
        entries: dict[str, TenantEntry] = {}
        closed: list[TenantChange] = []
        for tenant_id, entry in wanted.items():
            old = now.get(tenant_id)
            if old is not None and old.config == entry.config:
                # The same object: what others made of it stays theirs.
                entry = msgspec.structs.replace(entry, config=old.config)
            unprepared = await self._prepared(old, entry)
            if unprepared is None:
                self._unprepared.pop(tenant_id, None)
                entries[tenant_id] = entry
            else:
                self._unprepared[tenant_id] = unprepared
                if old is not None:
                    entries[tenant_id] = old
        for tenant_id, old in now.items():
            new = entries.get(tenant_id)
            if old.open and (new is None or not new.open):
                closed.append(TenantChange(ChangeKind.CLOSED, old.config))
        for tenant_id in self._unprepared.keys() - wanted.keys():
            del self._unprepared[tenant_id]
        self._view = _View(entries)
        for change in closed:
            await self._tell(change)

    async def _prepared(self, old: TenantEntry | None, entry: TenantEntry) -> "_Unprepared | None":
        """Let subscribers prepare an entry; what is wrong when they cannot."""
        if not entry.open:
            return None
        if old is None or not old.open:
            change = TenantChange(ChangeKind.OPENED, entry.config)
        elif old.config is not entry.config:
            change = TenantChange(ChangeKind.CHANGED, entry.config)
        else:
            return None
        failed = self._unprepared.get(entry.config.id)
        if failed is not None and failed.config == entry.config and self._clock() < failed.retry_at:
            return failed
        try:
            for handler in self._on_change:
                await handler(change)
        except Exception as error:
            log.warning("tenant_not_prepared", tenant_id=entry.config.id, error_class=type(error).__name__)
            still = "its version before stays in use" if old is not None and old.open else "it takes no call"
            fault = TenantNotPreparedError(
                f"the tenant {entry.config.id!r} is valid but not usable here: {error}; {still}"
            )
            return _Unprepared(entry.config, fault, self._clock() + RETRY_S)
        return None

    async def _tell(self, change: TenantChange) -> None:
        for handler in self._on_change:
            try:
                await handler(change)
            except Exception:
                # It is closed all the same, and the other subscribers must know.
                log.exception("tenant_change_not_handled", tenant_id=change.tenant.id)

    async def _report(self, faults: dict[str, ContextError]) -> None:
        alerts = [
            TenantAlert(AlertKind.BROKEN, fault.code, text)
            for text, fault in faults.items()
            if text not in self._reported
        ]
        alerts += [
            TenantAlert(AlertKind.MENDED, fault.code, text)
            for text, fault in self._reported.items()
            if text not in faults
        ]
        self._reported = faults
        for alert in alerts:
            for handler in self._on_alert:
                try:
                    await handler(alert)
                except Exception:
                    log.exception("tenant_alert_not_handled", code=alert.code)


class TenantNotPreparedError(ContextError):
    """A valid tenant that the server cannot serve: an engine that does not exist here, for example."""

    code = "tenant_not_prepared"
