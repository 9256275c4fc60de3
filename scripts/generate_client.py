"""Writes a Python client of the REST API, generated from Parley's own description of it.

Usage: `python -m scripts.generate_client FOLDER`. The package `parley_client` in FOLDER has one function an operation,
typed, sync and async. It is generated rather than kept, so it never differs from the server that it belongs to.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from server.rest.api import resource_examples, rest_app
from server.rest.schema import described
from server.rest.services import ServiceDoor

PACKAGE = "parley_client"
CONFIG = {"project_name_override": "parley-client", "package_name_override": PACKAGE, "post_hooks": []}


def generate(folder: Path) -> Path:
    """Write the client below `folder`; what to put on the path. Raises RuntimeError with the generator's words."""
    with tempfile.TemporaryDirectory() as work:
        document, config = Path(work, "openapi.json"), Path(work, "config.json")
        document.write_bytes(msgspec.json.encode(described(rest_app(ServiceDoor()), resource_examples())))
        config.write_bytes(msgspec.json.encode(CONFIG))
        target = folder / "parley-client"
        program = Path(sys.executable).parent / "openapi-python-client"
        command = [program, "generate", "--path", document, "--config", config, "--output-path", target, "--overwrite"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the client cannot be generated:\n{done.stdout}{done.stderr}")
    return target


def main() -> None:
    """Run the program."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} FOLDER")
    sys.stdout.write(f"{generate(Path(sys.argv[1]))}\n")


if __name__ == "__main__":
    main()
