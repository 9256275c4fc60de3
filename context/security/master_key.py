"""The master key: 256 bits that open everything else, kept outside the database.

It comes from `PARLEY_MASTER_KEY` or from `PARLEY_HOME/master.key` (mode 600, made at the first start). Several keys,
the newest first, are a rotation that has begun: the newest seals, the others still open. Whoever has a copy of the
database without this key has nothing; who loses it has lost every secret. Read by `context.security.vault_store`.
"""

import base64
import binascii
import hashlib
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from context.security.errors import MasterKeyError
from context.security.private_file import replace_private_file, write_private_file_once

MASTER_KEY_VARIABLE = "PARLEY_MASTER_KEY"
MASTER_KEY_FILE = "master.key"
KEY_BYTES = 32
ID_BYTES = 8
OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class MasterKeys:
    """Master keys in memory, the newest first. Shows nothing of them."""

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        self._keys = {master_id(key): key for key in keys}
        self.current_id = next(iter(self._keys))

    @classmethod
    def random(cls) -> "MasterKeys":
        """One new key, for tests and for a first start."""
        return cls((secrets.token_bytes(KEY_BYTES),))

    def key(self, key_id: str) -> bytes | None:
        """The key with this id, None when it is not among them."""
        return self._keys.get(key_id)

    @property
    def ids(self) -> tuple[str, ...]:
        """Their ids, the newest first."""
        return tuple(self._keys)

    def load(self) -> "MasterKeys":
        """Itself: keys in memory are a source of keys too."""
        return self

    def __repr__(self) -> str:
        return f"MasterKeys({', '.join(self.ids)})"


class MasterKeySource(Protocol):
    """Where master keys come from. Asked again each time, so that a rotation reaches a running server."""

    def load(self) -> MasterKeys:
        """The keys as they are now. Raises MasterKeyError."""
        ...


class MasterKeyFile:
    """Keys in a file, one a line in base64, the newest first."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ensure(self) -> "MasterKeyFile":
        """Make the file with a random key unless it is there. Two processes agree on one. Raises MasterKeyError."""
        try:
            write_private_file_once(self.path, _line(secrets.token_bytes(KEY_BYTES)))
        except OSError as error:
            raise MasterKeyError(f"cannot write the master key to {self.path}: {error.strerror}") from error
        return self

    def load(self) -> MasterKeys:
        """The keys in the file. Raises MasterKeyError when it is missing, malformed or open to others."""
        return MasterKeys(self._read())

    def begin_rotation(self) -> MasterKeys:
        """Put a new key before the others, unless a rotation has begun already. Raises MasterKeyError."""
        keys = self._read()
        if len(keys) == 1:
            keys = (secrets.token_bytes(KEY_BYTES), *keys)
            self._write(keys)
        return MasterKeys(keys)

    def finish_rotation(self) -> None:
        """Keep the newest key alone: nothing is sealed with the others any more. Raises MasterKeyError."""
        self._write(self._read()[:1])

    def _read(self) -> tuple[bytes, ...]:
        try:
            mode = stat.S_IMODE(self.path.stat().st_mode)
            text = self.path.read_text(encoding="ascii")
        except (OSError, UnicodeError) as error:
            raise MasterKeyError(f"cannot read the master key in {self.path}: {error}") from error
        if mode & OPEN_TO_OTHERS:
            raise MasterKeyError(f"{self.path} is open to other users (mode {mode:o}): chmod 600 {self.path}")
        return parsed_keys(text, str(self.path))

    def _write(self, keys: tuple[bytes, ...]) -> None:
        try:
            replace_private_file(self.path, "".join(_line(key) for key in keys))
        except OSError as error:
            raise MasterKeyError(f"cannot write the master key to {self.path}: {error.strerror}") from error


def master_key_source(home: Path, environment: Mapping[str, str]) -> MasterKeys | MasterKeyFile:
    """`PARLEY_MASTER_KEY` when it is set, else the file in `home`, made when it is missing. Raises MasterKeyError."""
    text = environment.get(MASTER_KEY_VARIABLE, "")
    if text:
        return MasterKeys(parsed_keys(text, MASTER_KEY_VARIABLE))
    return MasterKeyFile(home / MASTER_KEY_FILE).ensure()


def parsed_keys(text: str, where: str) -> tuple[bytes, ...]:
    """Keys in base64 with white space or commas between. where: to name in an error. Raises MasterKeyError."""
    keys: list[bytes] = []
    for word in text.replace(",", " ").split():
        try:
            key = base64.b64decode(word, validate=True)
        except binascii.Error:
            key = b""
        if len(key) != KEY_BYTES:
            raise MasterKeyError(
                f"{where}: key {len(keys) + 1} is not {KEY_BYTES} bytes in base64; make one with "
                f"`head -c {KEY_BYTES} /dev/urandom | base64`"
            )
        keys.append(key)
    if not keys:
        raise MasterKeyError(f"{where} holds no key: restore it from your backup; without it no secret can be read")
    return tuple(keys)


def master_id(key: bytes) -> str:
    """A public name of a key, which tells nothing about it."""
    return hashlib.sha256(b"parley master key id\0" + key).digest()[:ID_BYTES].hex()


def encoded(key: bytes) -> str:
    """A key as it is written."""
    return base64.b64encode(key).decode()


def _line(key: bytes) -> str:
    return encoded(key) + os.linesep
