"""The operator's key: made at the first start, so that whoever owns the machine can use the API at once.

It lies in `PARLEY_HOME/operator.key` (mode 600) and may do everything for every tenant. Called by the server when it
starts and by commands that talk to a running server.
"""

from pathlib import Path

from context.errors import HomeError
from context.security.keys import ApiKeys
from context.security.principal import PrincipalKind, Scope
from context.security.private_file import replace_private_file, write_private_file_once

OPERATOR_KEY_FILE = "operator.key"
OPERATOR_KEY_NAME = "operator"


async def ensure_operator_key(home: Path, keys: ApiKeys) -> Path:
    """The file with a key that works; made, or made anew when the database does not know the one in it.

    home: the folder of all state. Raises HomeError, StoreError.
    """
    path = home / OPERATOR_KEY_FILE
    try:
        found = read_operator_key(home)
        if found is not None and await works(found, keys):
            return path
        made = await keys.create("", OPERATOR_KEY_NAME, list(Scope))
        if found is not None:
            replace_private_file(path, made.key + "\n")
        elif not write_private_file_once(path, made.key + "\n"):
            # Another process that started at the same moment was first: its key is the one.
            await keys.revoke("", made.id)
            return await ensure_operator_key(home, keys)
    except OSError as error:
        raise HomeError(f"cannot keep the operator's key in {path}: {error.strerror}") from error
    return path


def read_operator_key(home: Path) -> str | None:
    """The operator's key in `home`, None when there is none yet. Raises OSError."""
    try:
        return (home / OPERATOR_KEY_FILE).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


async def works(key: str, keys: ApiKeys) -> bool:
    """Whether this is an operator's key that has not ended."""
    principal = await keys.authenticate(key, None)
    return principal is not None and principal.kind is PrincipalKind.OPERATOR
