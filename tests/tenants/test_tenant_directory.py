"""Files and database are one directory, which changes while calls are answered from it and never answers wrongly."""

import asyncio
import datetime as dt
import os
from pathlib import Path

import msgspec
import pytest

from context.store.database import Store
from context.tenants.config import TenantConfig
from context.tenants.directory import AlertKind, Source, TenantAlert, TenantChange, TenantDirectory
from context.tenants.errors import TenantSuspendedError, UnknownTenantError
from context.tenants.lifecycle import Change, TenantState
from context.tenants.store import StoredTenants
from tests.context.clinic import clinic

NOON = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)

FILE = """\
id: {id}
name: {name}
sector: dental
languages: [en]
default_language: en
timezone: Europe/Paris
country: FR
currency: {currency}
phone: +33142000000
address: {{en: 1 Park Street}}
hours: {{monday: [{{opens: 9:00, closes: 18:00}}]}}
services: [{{id: cleaning, name: {{en: cleaning}}, words: {{}}}}]
persona: {{id: clara, name: Clara, greeting: {{en: Hello}}}}
numbers: [{number}]
"""


class Watched:
    """A directory, what it told, and the clock that it waits by."""

    def __init__(self, folder: Path, stored: StoredTenants | None = None) -> None:
        self.now_s = 0.0
        self.changes: list[tuple[str, str, str]] = []
        self.alerts: list[TenantAlert] = []
        self.unprepared: set[str] = set()
        self.directory = TenantDirectory(folder, (), stored, clock=lambda: self.now_s)
        self.directory.on_change(self._changed)
        self.directory.on_alert(self._alerted)

    async def _changed(self, change: TenantChange) -> None:
        assert change.tenant not in self.directory.tenants, "seen before it is prepared, or still after it is closed"
        if change.tenant.name in self.unprepared:
            raise RuntimeError("no such engine")
        self.changes.append((change.kind.value, change.tenant.id, change.tenant.name))

    async def _alerted(self, alert: TenantAlert) -> None:
        self.alerts.append(alert)

    def told(self) -> list[tuple[str, str, str]]:
        told, self.changes = self.changes, []
        return told


def written(
    folder: Path, name: str = "A", tenant_id: str = "a", currency: str = "EUR", number: str = "+33142000001"
) -> Path:
    path = folder / f"{tenant_id}.yaml"
    part = path.with_suffix(".part")
    part.write_text(FILE.format(id=tenant_id, name=name, currency=currency, number=number), encoding="utf-8")
    os.replace(part, path)
    return path


async def test_a_file_that_comes_changes_and_goes_is_followed(folder: Path) -> None:
    watched = Watched(folder)
    path = written(folder)
    await watched.directory.refresh()
    written(folder, name="B")
    await watched.directory.refresh()
    await watched.directory.refresh()
    path.unlink()
    await watched.directory.refresh()
    assert watched.told() == [("opened", "a", "A"), ("changed", "a", "B"), ("closed", "a", "B")]
    assert watched.directory.tenants == ()


async def test_a_bad_file_keeps_its_last_good_version_and_is_reported_once(folder: Path) -> None:
    watched = Watched(folder)
    path = written(folder)
    await watched.directory.refresh()
    written(folder, name="B", currency="EURO")
    faults = await watched.directory.refresh()
    await watched.directory.refresh()
    assert [tenant.name for tenant in watched.directory.tenants] == ["A"]
    [alert] = watched.alerts
    assert alert.kind is AlertKind.BROKEN
    for said in (str(path), "$.currency", "'EURO'", "ISO 4217"):
        assert said in alert.message
    assert str(faults[0]) == alert.message
    written(folder, name="B")
    assert await watched.directory.refresh() == []
    assert [alert.kind for alert in watched.alerts] == [AlertKind.BROKEN, AlertKind.MENDED]
    assert [tenant.name for tenant in watched.directory.tenants] == ["B"]


async def test_callers_are_answered_rightly_while_files_change_under_them(folder: Path) -> None:
    watched = Watched(folder)
    written(folder)
    await watched.directory.refresh()
    asked = 0
    done = asyncio.Event()

    async def caller() -> None:
        nonlocal asked
        while not done.is_set():
            found = watched.directory.by_number("+33142000001")
            assert found
            assert found.id == "a"
            assert watched.directory.by_id("a") is found
            assert watched.directory.by_number("+33142000099") is None
            asked += 1
            await asyncio.sleep(0.001)

    callers = [asyncio.create_task(caller()) for _ in range(5)]
    for turn in range(12):
        written(folder, name=f"A{turn}", currency="EUR" if turn % 3 else "EURO")
        if turn % 2:
            written(folder, tenant_id="b", number="+33142000002")
        else:
            (folder / "b.yaml").unlink(missing_ok=True)
        await watched.directory.refresh()
    done.set()
    await asyncio.gather(*callers)
    assert asked > 20
    last = watched.directory.by_id("a")
    assert last
    assert last.name == "A11"


async def test_watching_finds_a_change_within_two_seconds(folder: Path) -> None:
    watched = Watched(folder)
    watching = asyncio.create_task(watched.directory.watch())
    try:
        await asyncio.sleep(0.1)
        written(folder)
        async with asyncio.timeout(2.0):
            while not watched.directory.tenants:
                await asyncio.sleep(0.02)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_tenants_of_the_database_are_followed_from_another_process(store_on_each: Store, folder: Path) -> None:
    here, there = (StoredTenants(store_on_each, lambda: NOON) for _ in range(2))
    watched = Watched(folder, here)
    await watched.directory.refresh()
    await there.create(clinic(numbers=("+33142000001",)), actor="test")
    assert watched.directory.by_id("clinic") is None
    await watched.directory.refresh()
    before = watched.directory.by_id("clinic")
    await watched.directory.refresh()
    assert watched.directory.by_id("clinic") is before
    await there.put(clinic(name="Clinic Two"), actor="test")
    await watched.directory.refresh()
    assert watched.told() == [("opened", "clinic", "Clinic"), ("changed", "clinic", "Clinic Two")]
    assert watched.directory.by_number("+33142000001") is None
    entry = watched.directory.entry("clinic")
    assert entry
    assert (entry.source, entry.version) == (Source.STORE, 2)


async def test_a_suspended_tenant_takes_no_call_and_is_told_apart_from_none(
    tenants: StoredTenants, folder: Path
) -> None:
    watched = Watched(folder, tenants)
    await tenants.create(clinic(numbers=("+33142000001",)), actor="test")
    await watched.directory.refresh()
    assert watched.directory.serving("clinic").id == "clinic"
    await tenants.change("clinic", Change.SUSPEND, actor="test")
    await watched.directory.refresh()
    assert watched.directory.by_number("+33142000001") is None
    assert watched.directory.tenants == ()
    assert watched.directory.state_of("clinic") is TenantState.SUSPENDED
    with pytest.raises(TenantSuspendedError, match="suspended"):
        watched.directory.serving("clinic")
    with pytest.raises(UnknownTenantError):
        watched.directory.serving("nobody")
    await tenants.change("clinic", Change.RESUME, actor="test")
    await watched.directory.refresh()
    assert watched.directory.by_number("+33142000001") is not None
    assert [kind for kind, _, _ in watched.told()] == ["opened", "closed", "opened"]


async def test_what_cannot_be_prepared_leaves_the_version_before_in_use(tenants: StoredTenants, folder: Path) -> None:
    watched = Watched(folder, tenants)
    await tenants.create(clinic(), actor="test")
    await watched.directory.refresh()
    watched.unprepared = {"Broken"}
    await tenants.put(clinic(name="Broken"), actor="test")
    [fault] = await watched.directory.refresh()
    assert "no such engine" in str(fault)
    assert [tenant.name for tenant in watched.directory.tenants] == ["Clinic"]
    watched.unprepared = set()
    await watched.directory.refresh()
    assert [tenant.name for tenant in watched.directory.tenants] == ["Clinic"], "tried again at once"
    watched.now_s += 31
    assert await watched.directory.refresh() == []
    assert [tenant.name for tenant in watched.directory.tenants] == ["Broken"]
    assert [alert.kind for alert in watched.alerts] == [AlertKind.BROKEN, AlertKind.MENDED]


async def test_the_same_id_in_a_file_and_the_database_names_both(tenants: StoredTenants, folder: Path) -> None:
    watched = Watched(folder, tenants)
    await tenants.create(clinic(id="a", name="Of the database"), actor="test")
    path = written(folder)
    await watched.directory.refresh()
    [alert] = watched.alerts
    assert str(path) in alert.message
    assert "the tenant 'a' of the database has this id already" in alert.message
    assert [tenant.name for tenant in watched.directory.tenants] == ["Of the database"]


@pytest.mark.parametrize("second_in", ["file", "database"])
async def test_a_number_that_two_tenants_claim_stays_with_one_and_names_both(
    tenants: StoredTenants, folder: Path, second_in: str
) -> None:
    watched = Watched(folder, tenants)
    written(folder, number="+33142000001")
    if second_in == "file":
        written(folder, tenant_id="b", number="+33142000001")
    else:
        await tenants.create(clinic(id="b", numbers=("+33142000001",)), actor="test")
    await watched.directory.refresh()
    [alert] = watched.alerts
    assert "+33142000001" in alert.message
    assert "'a'" in alert.message or "a.yaml" in alert.message
    assert "'b'" in alert.message or "b.yaml" in alert.message
    written(folder, tenant_id="c", number="+33142000003")
    await watched.directory.refresh()
    assert watched.alerts == [alert], "told once, whatever else changes"
    found = watched.directory.by_number("+33142000001")
    assert found
    assert found.id == ("a" if second_in == "file" else "b")


async def test_a_file_that_begins_to_clash_keeps_what_it_had(folder: Path) -> None:
    watched = Watched(folder)
    written(folder, number="+33142000001")
    written(folder, tenant_id="b", number="+33142000002")
    await watched.directory.refresh()
    written(folder, tenant_id="b", number="+33142000001")
    await watched.directory.refresh()
    found = watched.directory.by_number("+33142000002")
    assert found
    assert found.id == "b"


@pytest.mark.parametrize(
    "dialled", ["+33142000001", "0033142000001", "tel:+33142000001", "sip:+33142000001@provider.example;user=phone"]
)
async def test_a_number_is_found_however_the_provider_writes_it(folder: Path, dialled: str) -> None:
    watched = Watched(folder)
    written(folder, number="+33142000001")
    await watched.directory.refresh()
    found = watched.directory.by_number(dialled)
    assert found
    assert found.id == "a"


@pytest.mark.parametrize("dialled", ["+33142000002", "", "anonymous", "+", "0142000001", "sip:@x", "+3314200000"])
async def test_an_unknown_number_finds_nobody_and_never_a_default(folder: Path, dialled: str) -> None:
    watched = Watched(folder)
    written(folder, number="+33142000001")
    await watched.directory.refresh()
    assert len(watched.directory.tenants) == 1
    assert watched.directory.by_number(dialled) is None


async def test_a_handler_that_fails_on_closing_keeps_nobody_open(folder: Path) -> None:
    watched = Watched(folder)
    path = written(folder)
    await watched.directory.refresh()
    watched.unprepared = {"A"}
    path.unlink()
    assert await watched.directory.refresh() == []
    assert watched.directory.tenants == ()


async def test_further_checks_hold_for_files_too(folder: Path) -> None:
    def never(tenant: TenantConfig) -> list[tuple[tuple[str, ...], str]]:
        return [(("plan",), "expected another one")]

    directory = TenantDirectory(folder, also=[never])
    written(folder)
    [fault] = directory.reload()
    assert "$.plan" in str(fault)
    assert directory.tenants == ()


async def test_two_hundred_tenants_cost_little_when_nothing_changes(tenants: StoredTenants, folder: Path) -> None:
    for n in range(200):
        config = msgspec.structs.replace(clinic(), id=f"t{n}")
        (folder / f"t{n}.yaml").write_text(
            FILE.format(id=f"t{n}", name=config.name, currency="EUR", number=f"+331420{n:05}"), encoding="utf-8"
        )
    watched = Watched(folder, tenants)
    await watched.directory.refresh()
    assert len(watched.directory.tenants) == 200
    began = asyncio.get_running_loop().time()
    for _ in range(10):
        await watched.directory.refresh()
    assert (asyncio.get_running_loop().time() - began) / 10 < 0.1
