"""The messages a client of `/v1/voice` may send, and their validation.

Declared types are the validation: msgspec names the path and the type of what is wrong, this module turns that into
a `ProtocolViolation` with a machine-readable code and the WebSocket close code that fits. Called by `voice_socket`.
"""

import urllib.parse
from typing import Annotated

import msgspec

from voice_core.frames import LEG_RATES_HZ, AudioFormat

MAX_TEXT_CHARACTERS = 1_000
"""Longest typed turn (product facts, section 2)."""

G711_HZ = 8_000
"""The rate of G.711 unless the client names another."""

DEFAULT_PCM_HZ = 16_000

MAX_QUERY_FIELDS = 16

START_PARAMETERS = ("key", "sample_rate", "format", "language")
"""What a query string may say. Not who calls: proxies log addresses."""

CLOSE_GOING_AWAY = 1001
CLOSE_UNSUPPORTED = 1003
CLOSE_INVALID = 1007
CLOSE_POLICY = 1008
CLOSE_INTERNAL = 1011
CLOSE_TRY_LATER = 1013
"""Close codes of RFC 6455 section 7.4.1 and, from 1012 on, of the IANA WebSocket registry."""


class ProtocolViolation(Exception):  # noqa: N818 - the client's fault, not ours
    """The client broke the protocol: send `error {code, message}`, then close with `close_code`."""

    def __init__(self, code: str, message: str, close_code: int = CLOSE_POLICY) -> None:
        super().__init__(message)
        self.code = code
        self.close_code = close_code


class ClientMessage(msgspec.Struct, frozen=True, tag_field="type", forbid_unknown_fields=True):
    """Base of the client's messages."""


class StartMessage(ClientMessage, frozen=True, tag="start"):
    """Opens the call; the first message unless the query string says the same.

    sample_rate: Hz, one of LEG_RATES_HZ; None means 16,000 for pcm16 and 8,000 for G.711. language: code such as
    "fr", None for the tenant's default. key: the tenant's API key. caller: number of the far end in E.164, from a
    bridge that knows it and whose key may read contacts.
    """

    sample_rate: int | None = None
    format: AudioFormat = AudioFormat.PCM16
    language: str | None = None
    key: str | None = None
    caller: Annotated[str, msgspec.Meta(pattern=r"^\+[1-9]\d{5,14}$")] | None = None

    @property
    def rate_hz(self) -> int:
        """Sample rate of both directions."""
        if self.sample_rate is not None:
            return self.sample_rate
        return DEFAULT_PCM_HZ if self.format is AudioFormat.PCM16 else G711_HZ


class DtmfMessage(ClientMessage, frozen=True, tag="dtmf"):
    """Keys the caller pressed, in order. `digit` is accepted for clients that send one at a time."""

    digits: Annotated[str, msgspec.Meta(pattern="^[0-9*#A-D]{0,32}$")] = ""
    digit: Annotated[str, msgspec.Meta(pattern="^[0-9*#A-D]?$")] = ""


class HangupMessage(ClientMessage, frozen=True, tag="hangup"):
    """The caller hangs up."""


class TextMessage(ClientMessage, frozen=True, tag="text"):
    """A typed turn."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT_CHARACTERS)]


Message = StartMessage | DtmfMessage | HangupMessage | TextMessage

_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def parse_message(data: str) -> Message:
    """Decode one text message. Raises ProtocolViolation: bad_json, bad_message."""
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError as error:
        message = f"{error}. Message types: start, dtmf, hangup, text."
        raise ProtocolViolation("bad_message", message, CLOSE_UNSUPPORTED) from None
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise ProtocolViolation("bad_json", f"Not a JSON message: {error}", CLOSE_INVALID) from None


def check_start(start: StartMessage) -> StartMessage:
    """The message itself. Raises ProtocolViolation unsupported_rate when the sample rate is none of ours."""
    if start.rate_hz not in LEG_RATES_HZ:
        allowed = ", ".join(str(rate) for rate in LEG_RATES_HZ)
        message = f"sample_rate {start.rate_hz} is not supported; use one of {allowed}"
        raise ProtocolViolation("unsupported_rate", message, CLOSE_UNSUPPORTED)
    return start


def start_from_query(query: str) -> StartMessage | None:
    """The start message that a query string holds, or None when it names none of its parameters.

    Raises ProtocolViolation bad_message or unsupported_rate.
    """
    try:
        fields = urllib.parse.parse_qs(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError as error:
        raise ProtocolViolation("bad_message", f"In the query string: {error}", CLOSE_UNSUPPORTED) from None
    given = {name: values[-1] for name, values in fields.items() if name in START_PARAMETERS}
    if not given:
        return None
    try:
        # strict=False: everything in a query string is text, "16000" included.
        start = msgspec.convert({"type": "start", **given}, StartMessage, strict=False)
    except msgspec.ValidationError as error:
        raise ProtocolViolation("bad_message", f"In the query string: {error}", CLOSE_UNSUPPORTED) from None
    return check_start(start)
