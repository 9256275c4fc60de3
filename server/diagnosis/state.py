"""What Parley keeps: its home, the database, the tenants and the engines they ask for.

Each check opens the real thing the way the server does. Of keys only the names are told, never a
value. Called by `server.commands.doctor`.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

import agents.demo
from context.errors import ContextError, HomeError
from context.home import Home
from context.store.database import Store
from context.store.migration import head
from context.tenants.config import LANGUAGES, TenantConfig
from context.tenants.directory import TenantDirectory
from server.diagnosis.report import Finding, fail, ok
from voice_core.engines.names import EmbeddedEngine, PiperEngine, PluginEngine, parse_engine
from voice_core.engines.plugins import installed, missing_keys, package_of


class Tenants(msgspec.Struct, frozen=True):
    """The tenants that can be served and what was found about their files."""

    tenants: tuple[TenantConfig, ...]
    findings: tuple[Finding, ...]

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that some tenant speaks, in the product's order."""
        return tuple(code for code in LANGUAGES if any(code in tenant.languages for tenant in self.tenants))


def open_home(path: str | None) -> tuple[Home | None, Finding]:
    """The home, None when it cannot be used."""
    try:
        home = Home.open(path)
        probe = home.root / ".doctor"
        probe.write_bytes(b"")
        probe.unlink()
    except HomeError as error:
        return None, fail("home", str(error), "see there")
    except OSError as error:
        fix = "make it writable, or set PARLEY_HOME to a folder that is"
        return None, fail("home", f"nothing can be written: {error}", fix)
    return home, ok("home", f"{home.root} can be written")


async def database(url: str) -> Finding:
    """Whether the database opens, with a real write and read. The address may hold a password: it is not shown."""
    kind = url.partition(":")[0].partition("+")[0]
    try:
        store = await Store.open(url)
        await store.aclose()
    except ContextError as error:
        return fail("database", str(error), "set PARLEY_DATABASE_URL to one that works, or mend this one")
    return ok("database", f"{kind}, version {head()}")


def tenants(folder: Path) -> Tenants:
    """Every tenant that the server would serve."""
    demo = Path(agents.demo.__file__ or "").parent
    directory = TenantDirectory(folder, sorted(demo.glob("*.yaml")))
    findings = [fail("tenant file", str(problem), "mend the file") for problem in directory.reload()]
    for tenant in directory.tenants:
        access = f"{len(tenant.keys)} API keys" if len(tenant.keys) != 1 else "1 API key"
        if tenant.loopback_without_key:
            access += ", answers without a key on this machine"
        findings.append(ok("tenant", f"{tenant.id}: {', '.join(tenant.languages)}; {access}"))
    if not directory.tenants:
        findings.append(fail("tenant", "there is nobody to answer for", f"put a tenant's YAML file into {folder}"))
    return Tenants(directory.tenants, tuple(findings))


def engines(served: Sequence[TenantConfig], environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Every engine that a tenant names, with what it lacks."""
    users: dict[str, list[str]] = {}
    for tenant in served:
        for text in dict.fromkeys((*tenant.engines.stt, *tenant.engines.tts, *tenant.engines.llm)):
            users.setdefault(text, []).append(tenant.id)
    for text, ids in users.items():
        match parse_engine(text):
            case EmbeddedEngine():
                continue  # `speech` lets them really run
            case PiperEngine() as piper:
                yield _piper(piper, ids)
            case PluginEngine() as plugin:
                yield _plugin(plugin, ids, environment)


def _piper(piper: PiperEngine, ids: list[str]) -> Finding:
    config = Path(f"{piper.path}.json")
    missing = [str(path) for path in (Path(piper.path), config) if not path.is_file()]
    if missing:
        fix = f"put the voice there, or change the engine of {', '.join(ids)}"
        return fail("engine piper", f"no file {' and no file '.join(missing)}", fix)
    return ok("engine piper", f"{piper.path}, for {', '.join(ids)}")


def _plugin(plugin: PluginEngine, ids: list[str], environment: Mapping[str, str]) -> Finding:
    name = f"engine {plugin.provider}"
    title = f"{plugin.provider}/{plugin.model}" if plugin.model else plugin.provider
    if not installed(plugin.provider):
        return fail(name, f"{title}, for {', '.join(ids)}: not installed", f"pip install {package_of(plugin.provider)}")
    missing = missing_keys(plugin, environment)
    if missing:
        fix = f"set the environment variable {' and '.join(missing)}"
        return fail(name, f"{title}, for {', '.join(ids)}: a key is missing", fix)
    return ok(name, f"{title}, for {', '.join(ids)}: installed, no key missing")
