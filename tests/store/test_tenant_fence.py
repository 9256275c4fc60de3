"""Who may see every tenant is a short list, and whoever is not on it has no way around."""

import ast
from collections.abc import Iterator
from pathlib import Path

from context.store.schema import whole_schema

PROJECT = Path(__file__).resolve().parents[2]
ROOMS = ("context", "billing", "agents", "telephony", "server")

PAST_THE_FENCE = {
    "reading_every_tenant",
    "writing_every_tenant",
    "reading_as",
    "writing_as",
    "outside_transaction",
}
"""Methods of the store whose statements are not scoped to one tenant."""

MAY_SEE_EVERY_TENANT = {
    "context/store/database.py": "the store itself",
    "context/store/scrub.py": "writes the whole file anew",
    "context/erasure/erase.py": "finishes every tenant's erasures",
    "context/erasure/retention.py": "goes through every tenant's history",
    "context/calls/nodes.py": "completes calls of processes that died, whosever they are",
    "context/contacts/stale.py": "finds boxes that nothing happened to",
    "context/conversations/store.py": "ends conversations in which nothing was said any more",
    "context/events/bus.py": "says which processes run handlers",
    "context/events/delivery.py": "runs the handlers of every tenant's events",
    "context/events/log.py": "shows the operator every tenant's events",
    "context/events/relay.py": "gives every event its place in one order",
    "context/events/replay.py": "knows who has subscribed, which is not the tenant's",
    "context/events/retention.py": "forgets every tenant's old events",
    "context/security/audit_anchors.py": "writes the ends of all chains outside the database",
    "context/security/keys.py": "finds out whose key a key is",
    "context/security/vault_store.py": "wraps every tenant's data key anew when the master key is rotated",
    "context/tenants/removal.py": "finishes removals that were begun",
    "context/tenants/store.py": "lists the tenants and finds the one of a number or an origin",
    "context/users/transactions.py": "accounts belong to no tenant, their memberships do",
    "context/webhooks/deliveries.py": "finds what is due, whosever it is",
    "server/commands/audit.py": "checks all chains for the operator",
}
"""Modules that may, and why. Before adding one: can it not ask for the tenant instead?"""


def calls_past_the_fence(root: Path) -> Iterator[tuple[str, str]]:
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and node.attr in PAST_THE_FENCE:
                    yield path.relative_to(root).as_posix(), node.attr


def test_only_these_modules_see_every_tenant() -> None:
    found = {path for path, _ in calls_past_the_fence(PROJECT)}
    assert found - set(MAY_SEE_EVERY_TENANT) == set()
    assert set(MAY_SEE_EVERY_TENANT) - found == set()  # no permission is left over


def test_only_the_store_makes_engines_and_runs_sql() -> None:
    """Everything else goes through transactions, which name their tenant."""
    own = {"create_async_engine", "create_engine", "exec_driver_sql"}
    for room in ROOMS:
        for path in sorted((PROJECT / room).rglob("*.py")):
            name = path.relative_to(PROJECT).as_posix()
            if name.startswith("context/store/"):
                continue
            names = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
            assert not names & own, name


def test_a_way_around_is_found_wherever_it_stands(tmp_path: Path) -> None:
    for room in ROOMS:
        (tmp_path / room).mkdir()
    (tmp_path / "server" / "bad.py").write_text("def f(s):\n    see = s.store.reading_every_tenant\n    return see()\n")
    assert list(calls_past_the_fence(tmp_path)) == [("server/bad.py", "reading_every_tenant")]


def test_every_table_with_a_tenants_data_has_the_tenant_first_in_its_key() -> None:
    for name, table in whole_schema().tables.items():
        if not table.info.get("server_wide"):
            assert next(iter(table.primary_key.columns)).name == "tenant_id", name


def test_a_key_to_another_table_stays_within_the_tenant() -> None:
    """Else a row of one tenant could be made to hang on another's."""
    for name, table in whole_schema().tables.items():
        for key in table.foreign_key_constraints:
            target = key.referred_table
            if "tenant_id" in table.columns and not target.info.get("server_wide"):
                assert ("tenant_id", "tenant_id") in [(e.parent.name, e.column.name) for e in key.elements], name
