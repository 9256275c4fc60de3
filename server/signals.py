"""Ctrl-C: the first one asks the server to stop, the second one quits at once. Used by `server.running`."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

EXIT_INTERRUPTED = 130
"""What shells report for a program that SIGINT ended."""


def stop_on_signals(say: Callable[[str], None]) -> asyncio.Event:
    """An event that the first SIGINT or SIGTERM sets. say: prints one line for the operator."""
    stopping = asyncio.Event()

    def on_signal() -> None:
        if stopping.is_set():
            say("Quit.")
            quit_now(EXIT_INTERRUPTED)
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    return stopping


def quit_now(code: int) -> NoReturn:
    """End the process without waiting for threads.

    A model that is being loaded cannot be interrupted, and the interpreter's own shutdown under it crashes.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
