"""Starts `make run` as a person would, waits until the server says that it is ready, and presses Ctrl-C.

`scripts/fresh-root.sh` calls it inside a bare Debian, so it needs nothing but the standard library.
Exit status 0: it became ready, answered on its page, and stopped politely when asked.
"""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

PORTS = {
    "api": int(os.environ.get("PARLEY_PORT_API", "3004")),
    "voice": int(os.environ.get("PARLEY_PORT_VOICE", "3007")),
    "telephony": int(os.environ.get("PARLEY_PORT_TELEPHONY", "3009")),
}
READY_WITHIN_S = 1_800.0
"""Fetching packages over a slow line is most of it."""
STOPPED_WITHIN_S = 30.0


def status_of(port: int, path: str) -> int | None:
    """HTTP status of a page on this machine, or None while nothing listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def wait_until_ready(make: subprocess.Popen[str]) -> None:
    """Return once all ports are ready. Raises SystemExit when `make` ends or time runs out before."""
    give_up_at = time.monotonic() + READY_WITHIN_S
    while not all(status_of(port, "/readyz") == 200 for port in PORTS.values()):
        if make.poll() is not None:
            sys.exit(f"make run ended with status {make.returncode} before it was ready")
        if time.monotonic() > give_up_at:
            sys.exit(f"not ready after {READY_WITHIN_S:.0f} s")
        time.sleep(0.5)


def repeat(make: subprocess.Popen[str], said: list[str]) -> None:
    """Print what `make` prints, as it comes, and keep it in `said`."""
    for line in make.stdout or ():
        said.append(line)
        print(line, end="", flush=True)


def main() -> None:
    """Start, wait, look at the page, stop."""
    for name, port in PORTS.items():
        if status_of(port, "/healthz") is not None:
            sys.exit(f"something listens on port {port} already: set PARLEY_PORT_{name.upper()}")
    # A session of its own, so that the interrupt goes to make and its children, as from a keyboard.
    started = time.monotonic()
    make = subprocess.Popen(
        ["make", "run"], start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said: list[str] = []
    listener = threading.Thread(target=repeat, args=(make, said), daemon=True)
    listener.start()
    try:
        wait_until_ready(make)
        print(f"ready after {time.monotonic() - started:.0f} s, set-up included", flush=True)
        if (page := status_of(PORTS["api"], "/")) != 200:
            sys.exit(f"the page at port {PORTS['api']} answered {page}")
        os.killpg(make.pid, signal.SIGINT)
        status = make.wait(STOPPED_WITHIN_S)
    finally:
        if make.poll() is None:
            os.killpg(make.pid, signal.SIGKILL)
    listener.join(timeout=5)
    # make ends by the interrupt whatever the server's status was, but says so when that was a failure.
    if status not in (0, -signal.SIGINT) or any("] Error " in line for line in said):
        sys.exit(f"make run was interrupted and ended with status {status}")
    if any(status_of(port, "/healthz") is not None for port in PORTS.values()):
        sys.exit("make run has ended but a port still answers")
    print("stopped politely", flush=True)


if __name__ == "__main__":
    main()
