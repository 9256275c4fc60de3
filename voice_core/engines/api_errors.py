"""What a plugin's exception means for us: an EngineError whose message is safe to log.

A provider's own message may quote the caller's words or the key it refused, so only the kind of the
error and its status are kept. Used by every adapter of a plugin.
"""

from livekit.agents import APIError, APIStatusError

from voice_core.errors import EngineError


def engine_error(engine: str, error: Exception) -> EngineError:
    """An EngineError for whatever a plugin raised; only a provider can say that a retry is useless."""
    if isinstance(error, EngineError):
        return error
    kind = type(error).__name__
    if isinstance(error, APIStatusError):
        kind = f"{kind} {error.status_code}"
    retryable = error.retryable if isinstance(error, APIError) else True
    return EngineError(f"{engine}: {kind}", retryable=retryable)
