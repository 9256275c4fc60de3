"""How the server logs: one line an event on stderr, JSON for machines, readable on a terminal.

Lines carry call_id and tenant_id from the context of the call that wrote them and never personal data: everything
passes `context.redaction`. Set up once by the commands of the server.
"""

import logging
import sys
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor

from context.redaction import redact

NOISY_LOGGERS = ("websockets", "uvicorn", "livekit", "hpack", "httpx", "asyncio", "faster_whisper", "alembic", "dbos")
"""Libraries that say a line for each connection or request: only their warnings are of use."""


def configure_logs(level: str = "info", stream: TextIO = sys.stderr) -> None:
    """Send structlog and the standard library's logging through the same processors to `stream`."""
    readable = stream.isatty()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: list[Processor] = [structlog.processors.format_exc_info, redact]
    if readable:
        render.append(structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback))
    else:
        render.append(_json_line)
    numeric = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    without_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[without_meta, *render])
    )
    logging.basicConfig(handlers=[handler], level=numeric, force=True)
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(max(numeric, logging.WARNING))


def _json_line(_logger: Any, _method: str, event: EventDict) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()
