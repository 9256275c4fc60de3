"""Which vault this installation uses: Infisical when its settings are in the environment, else the database.

The one place that knows the names of these settings. Called by `server.composition` and the `parley vault` command.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from context.security.errors import VaultError
from context.security.infisical import InfisicalSecrets, InfisicalSettings
from context.security.master_key import master_key_source
from context.security.vault import Vault
from context.store.database import Store

INFISICAL_VARIABLES = {
    "site_url": "PARLEY_INFISICAL_URL",
    "client_id": "PARLEY_INFISICAL_CLIENT_ID",
    "client_secret": "PARLEY_INFISICAL_CLIENT_SECRET",
    "project_id": "PARLEY_INFISICAL_PROJECT_ID",
    "environment": "PARLEY_INFISICAL_ENVIRONMENT",
}
"""Setting -> variable; all or none."""

INFISICAL_FOLDER_VARIABLE = "PARLEY_INFISICAL_FOLDER"
DEFAULT_FOLDER = "/parley"


def open_vault(store: Store, home: Path, environment: Mapping[str, str], now: Callable[[], float] = time.time) -> Vault:
    """The vault of this installation. home: the folder of all state. Raises VaultError, MasterKeyError.

    Close it with `aclose`.
    """
    settings = infisical_settings(environment)
    if settings is not None:
        return Vault(InfisicalSecrets(settings))
    return Vault.in_store(store, master_key_source(home, environment), now)


def infisical_settings(environment: Mapping[str, str]) -> InfisicalSettings | None:
    """Infisical's settings, None when there are none. Raises VaultError when some are missing."""
    found = {setting: environment.get(variable, "") for setting, variable in INFISICAL_VARIABLES.items()}
    if not any(found.values()):
        return None
    missing = [INFISICAL_VARIABLES[setting] for setting, value in found.items() if not value]
    if missing:
        raise VaultError(f"to keep secrets in Infisical set {', '.join(missing)} as well")
    return InfisicalSettings(**found, folder=environment.get(INFISICAL_FOLDER_VARIABLE, "") or DEFAULT_FOLDER)
