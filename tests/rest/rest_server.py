"""The REST application for tests: a real store, real keys, two tenants with a demo clinic's facts, fake engines.

`Clinic Park` and `Clinic Lake` are alike in everything but their id, so that whatever leaks from one to the other is
seen. The clock stands at a Friday morning and moves when a test moves it.
"""

import datetime as dt
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import msgspec
from litestar import Litestar

import agents.demo
from benchmarks.fake_engines import FakeRecognizer, FakeVoice
from context.bookings.store import StoredBookingDesk
from context.calls.completed import CallDetails
from context.calls.store import CallStore
from context.contacts.boxes import ContextBoxes
from context.contacts.store import ContactStore
from context.conversations.store import Conversations
from context.erasure.erase import Erasures
from context.erasure.providers import all_personal_data
from context.events.bus import EventBus
from context.idempotency.store import IdempotentRequests
from context.security.audit import AuditLog, signing_key
from context.security.audit_anchors import AnchorFile, AnchorKeeper
from context.security.keys import ApiKeys, KeyKind
from context.security.principal import Scope
from context.security.rate_limit import Limit, RateLimiter
from context.security.vault_opening import open_vault
from context.store.database import Store
from context.tenants.config import TenantConfig
from context.tenants.directory import TenantDirectory
from context.tenants.store import StoredTenants
from context.tenants.tenant_file import load_tenant
from context.users.assembly import build_people
from context.users.connection_providers import KNOWN_PROVIDERS, ConnectionApp
from context.users.oauth_client import Client
from context.users.passwords import HashCost, Passwords
from context.users.provider_file import ProviderSettings
from context.webhooks.destination import Reach
from context.webhooks.sender import Sender
from context.webhooks.service import Webhooks
from server.responders import ResponderFactory
from server.rest.api import rest_app
from server.rest.services import RestLimits, ServiceDoor, Services
from server.rest.turnstile import Turnstile
from server.tenant_runtimes import TenantRuntimes
from server.text_turns import TextTurns
from voice_core.engines.host import plugin_host
from voice_core.engines.registry import EngineRegistry
from voice_core.record import CallRecord, ToolUse, Utterance
from voice_core.responder import Outcome
from voice_core.speech import Recognizer, Voice

PARIS = ZoneInfo("Europe/Paris")
FRIDAY = dt.datetime(2026, 11, 20, 8, 30, tzinfo=PARIS)
"""Before opening; the Tuesday after is the 24th."""

PARK = "park"
LAKE = "lake"
HEARD = "I would like a cleaning"
"""What the fake recogniser hears, whatever it is given."""

PLENTY = 100_000
"""Requests a minute: tests of other things must not meet a limit."""

EVERY_SCOPE = frozenset(Scope) - {Scope.SERVER_ADMIN}
ALL_ROUND = {Scope.SERVER_ADMIN, *EVERY_SCOPE}


class Clock:
    """The wall clock of the server, as the test says."""

    def __init__(self) -> None:
        self.at = FRIDAY

    def __call__(self) -> dt.datetime:
        return self.at

    def seconds(self) -> float:
        return self.at.timestamp()

    def pass_s(self, seconds: float) -> None:
        self.at += dt.timedelta(seconds=seconds)


class FakeEmbedded:
    """Embedded engines that cost nothing."""

    def recognizer(self, languages: Sequence[str], language: str) -> Recognizer:
        return FakeRecognizer([HEARD], language=language)

    def voice(self) -> Voice:
        return FakeVoice()

    def piper(self, path: str) -> Callable[[], Voice]:
        return FakeVoice


class RestServer:
    """A running application and what a test needs around it."""

    def __init__(self, app: Litestar, client: httpx.AsyncClient, services: Services, clock: Clock) -> None:
        self.app = app
        self.client = client
        self.services = services
        self.clock = clock
        self.keys: dict[str, str] = {}

    def bearer(self, tenant_id: str = PARK) -> dict[str, str]:
        """The header of a tenant's key that may do everything; "" for the operator's."""
        return {"Authorization": f"Bearer {self.keys[tenant_id]}"}

    async def ask(
        self, method: str, path: str, *, as_: str = PARK, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        """A request with a tenant's key."""
        return await self.client.request(method, path, headers={**self.bearer(as_), **(headers or {})}, **more)

    async def key_with(
        self, *scopes: Scope, kind: KeyKind = KeyKind.SECRET, origins: tuple[str, ...] = ()
    ) -> dict[str, str]:
        """The header of a new key of the park."""
        made = await self.services.keys.create(PARK, "test", scopes, kind=kind, origins=origins)
        return {"Authorization": f"Bearer {made.key}"}

    def desk(self, tenant_id: str = PARK) -> StoredBookingDesk:
        """The tenant's desk, as the phone has it."""
        tenant = self.services.tenants.by_id(tenant_id)
        assert tenant
        return StoredBookingDesk(self.services.store, tenant, self.clock)

    async def call_made(self, call_id: str = "call-1", tenant_id: str = PARK, **changes: Any) -> CallRecord:
        """A call of this tenant that is over, with its recording."""
        path = self.services.recordings / f"{call_id}.wav"
        path.write_bytes(b"RIFF" + bytes(range(256)) * 8)
        record = msgspec.structs.replace(finished_call(call_id, str(path)), **changes)
        details = CallDetails(channel="phone", persona_id="camille", caller="+33612345678")
        assert await self.services.calls.save(tenant_id, record, details)
        return record


@asynccontextmanager
async def rest_server(
    database_url: str, folder: Path, *, limits: RestLimits | None = None, a_minute: int = PLENTY, **more: Any
) -> AsyncGenerator[RestServer, None]:
    """Start it. limits, a_minute: of requests. more: fields of `Services` to set otherwise."""
    clock = Clock()
    store = await Store.open(database_url)
    async with plugin_host() as host, _closing(store):
        services = await _services(store, database_url, host, folder, clock, limits, a_minute)
        services = msgspec.structs.replace(services, **more)
        door, app = _application()
        door.open(services)
        transport = httpx.ASGITransport(app=app, client=("192.0.2.1", 4711))  # pyright: ignore[reportArgumentType]
        async with httpx.AsyncClient(transport=transport, base_url="http://parley.local") as client:
            server = RestServer(app, client, services, clock)
            for tenant_id in (PARK, LAKE):
                server.keys[tenant_id] = (await services.keys.create(tenant_id, "everything", EVERY_SCOPE)).key
            server.keys[""] = (await services.keys.create("", "operator", ALL_ROUND)).key
            yield server
            await services.limiter.aclose()
            if services.people is not None:
                await services.people.aclose()


@lru_cache
def _application() -> tuple[ServiceDoor, Litestar]:
    """The application, which holds nothing of one test but what its door opens on: making it takes a second."""
    door = ServiceDoor()
    return door, rest_app(door)


@lru_cache
def _cheap_passwords() -> Passwords:
    return Passwords(HashCost(memory_kib=64, passes=1, lanes=1))


async def _public_address(host: str, port: int) -> list[str]:
    """Every name is somewhere on the internet; nothing is ever sent there."""
    return ["93.184.216.34"]


async def _services(
    store: Store, database_url: str, host: Any, folder: Path, clock: Clock, limits: RestLimits | None, a_minute: int
) -> Services:
    stored = StoredTenants(store, clock)
    directory = TenantDirectory(folder / "tenants", (), stored)
    runtimes = TenantRuntimes(EngineRegistry(FakeEmbedded(), host, {}), lambda texts, language: None, no_secret)
    for tenant_id in (PARK, LAKE):
        if await stored.get(tenant_id) is None:
            await stored.create(demo_tenant(tenant_id), actor="test")
    await directory.refresh()
    for tenant in directory.tenants:
        await runtimes.prepare(tenant)
    recordings = folder / "recordings"
    recordings.mkdir(exist_ok=True)
    calls = CallStore(store, "node")
    conversations = Conversations(store, clock.seconds)
    responders = ResponderFactory(store, runtimes, clock)
    personal_data = all_personal_data(clock.seconds)
    limiter = RateLimiter(store)
    vault = open_vault(store, folder, {})
    audit = AuditLog(store, await signing_key(vault))
    google = ConnectionApp(KNOWN_PROVIDERS["google-calendar"], Client("parley", "s3cr3t"))
    people = build_people(store, limiter, audit, vault, ProviderSettings(apps=(google,)), passwords=_cheap_passwords())
    return Services(
        store=store,
        now=clock,
        keys=ApiKeys(store),
        limiter=limiter,
        users=people.users,
        people=people,
        webhooks=Webhooks(store, vault, audit, Sender(_public_address, Reach.PUBLIC_ONLY)),
        anchors=AnchorKeeper(store, audit, AnchorFile(folder)),
        bus=EventBus(store, database_url),
        tenants=directory,
        stored_tenants=stored,
        calls=calls,
        contacts=ContactStore(store, lambda tenant_id: "FR"),
        boxes=ContextBoxes(store, lambda tenant_id: "FR"),
        personal_data=personal_data,
        erasures=Erasures(store, recordings, personal_data, clock.seconds),
        recordings=recordings,
        runtimes=runtimes,
        responders=responders,
        conversations=conversations,
        text_turns=TextTurns(conversations, calls, responders, clock.seconds),
        hearing=Turnstile(),
        speaking=Turnstile(),
        idempotency=IdempotentRequests(store, clock.seconds),
        limits=limits or RestLimits(per_address=Limit(PLENTY, 60), per_operator=Limit(PLENTY, 60)),
        requests_a_minute=lambda tenant_id: a_minute,
    )


async def no_secret(tenant_id: str, name: str) -> str | None:
    return None


@lru_cache
def _demo() -> TenantConfig:
    return load_tenant(Path(agents.demo.__path__[0]) / "clinique_du_parc.yaml")


def demo_tenant(tenant_id: str) -> TenantConfig:
    """The demo clinic under another id, as a tenant of the database may be."""
    return msgspec.structs.replace(
        _demo(),
        id=tenant_id,
        numbers=(),
        keys=(),
        loopback_without_key=False,
        plan="pro",
        origins=("https://park.example",),
    )


def finished_call(call_id: str, recording: str = "") -> CallRecord:
    """A short call in which a cleaning was booked."""
    return CallRecord(
        call_id=call_id,
        started_at=FRIDAY.timestamp() - 3600,
        duration_s=74.2,
        language="en",
        outcome=Outcome.BOOKED,
        reason="goodbye",
        transcript=(
            Utterance("agent", "Hello, how can", 300.0, 1900.0, "en", intended="Hello, how can I help?"),
            Utterance("caller", "I need a cleaning tomorrow at ten", 2600.0, 4700.0, "en"),
        ),
        tools=(ToolUse("create_booking", {"service": "cleaning"}, {"booking_id": "b1"}, True, 5200.0),),
        latency=({"transcript_ms": 140.0, "first_frame_ms": 410.0}, {"first_frame_ms": 380.0}),
        caller_talk_s=2.1,
        agent_talk_s=1.6,
        recording=recording,
    )


@asynccontextmanager
async def _closing(store: Store) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await store.aclose()
