"""G.711: the 8-bit codes of the telephone network, mu-law and A-law.

Every carrier leg (SIP, media streams, `/v1/voice` with `mulaw`) speaks one of the two. Both are pure
tables computed from the recommendation at import, so a frame costs one look-up per sample; `telephony`
calls this twice a frame.
"""

import numpy as np
from numpy.typing import NDArray

from voice_core.frames import AudioFormat, Pcm16

Codes = NDArray[np.uint8]
"""G.711 code words, uint8, shape (n,)."""

_SEGMENT_MASK = 0x70
_STEP_MASK = 0x0F
_MULAW_BIAS = 33
"""Offset that makes every mu-law segment a power of two, on the 14-bit scale (G.711 table 2a)."""
_MULAW_CLIP = 8158
"""Largest 14-bit magnitude that keeps its segment (G.711 table 2a, decision value 128 is 8159)."""
_ALAW_TOGGLE = 0x55
"""A-law inverts the even bits on the line (G.711 table 1a, note 2)."""


def _mulaw_decode_table() -> NDArray[np.int16]:
    """Code -> sample: (2 step + 33) 2^segment - 33 on the 14-bit scale, times 4."""
    code = ~np.arange(256, dtype=np.uint8)
    segment = ((code & _SEGMENT_MASK) >> 4).astype(np.int32)
    step = (code & _STEP_MASK).astype(np.int32)
    magnitude = ((2 * step + _MULAW_BIAS) << segment) - _MULAW_BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16) * np.int16(4)


def _mulaw_encode_table() -> Codes:
    """Sample (as its unsigned bit pattern) -> code. Negative samples mirror positive ones."""
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.minimum(np.abs(sample) >> 2, _MULAW_CLIP) + _MULAW_BIAS
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 5
    step = (magnitude >> (segment + 1)) & _STEP_MASK
    sign = np.where(sample < 0, 0x80, 0)
    return (~(sign | segment << 4 | step)).astype(np.uint8)


def _alaw_decode_table() -> NDArray[np.int16]:
    """Code -> sample: (2 step + 1) in segment 0, (2 step + 33) 2^(segment - 1) above, times 8."""
    code = np.arange(256, dtype=np.uint8) ^ _ALAW_TOGGLE
    segment = ((code & _SEGMENT_MASK) >> 4).astype(np.int32)
    step = (code & _STEP_MASK).astype(np.int32)
    linear = 2 * step + 1
    curved = (2 * step + 33) << np.maximum(segment - 1, 0)
    magnitude = np.where(segment == 0, linear, curved)
    return (np.where(code & 0x80, magnitude, -magnitude) * 8).astype(np.int16)


def _alaw_encode_table() -> Codes:
    """Sample -> code on the 13-bit scale. Minus one mirrors to zero, so that the sign bit is kept."""
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.where(sample < 0, ~sample, sample) >> 4
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 3, 0)
    segment = np.where(magnitude < 16, 0, segment)
    step = (magnitude >> np.maximum(segment - 1, 0)) & _STEP_MASK
    sign = np.where(sample < 0, 0, 0x80)
    return ((sign | segment << 4 | step) ^ _ALAW_TOGGLE).astype(np.uint8)


_DECODE = {AudioFormat.MULAW: _mulaw_decode_table(), AudioFormat.ALAW: _alaw_decode_table()}
_ENCODE = {AudioFormat.MULAW: _mulaw_encode_table(), AudioFormat.ALAW: _alaw_encode_table()}

SILENCE_CODE = {law: int(table[0]) for law, table in _ENCODE.items()}
"""The code of a zero sample, to fill a frame with silence: 0xFF for mu-law, 0xD5 for A-law."""


def decode(law: AudioFormat, codes: bytes | Codes, out: Pcm16 | None = None) -> Pcm16:
    """Expand code words to samples.

    codes: n code words. out: int16 array of shape (n,) to fill instead of allocating one.
    Raises KeyError when `law` is not MULAW or ALAW, ValueError when `out` has another shape.
    """
    index = codes if isinstance(codes, np.ndarray) else np.frombuffer(codes, dtype=np.uint8)
    # "clip" skips the bounds check, which would make numpy buffer `out`; every uint8 is in the table.
    return _DECODE[law].take(index, out=out, mode="clip")


def encode(law: AudioFormat, pcm: Pcm16, out: Codes | None = None) -> Codes:
    """Compress samples to code words.

    pcm: n samples, contiguous. out: uint8 array of shape (n,) to fill instead of allocating one.
    Raises KeyError when `law` is not MULAW or ALAW, ValueError when `out` has another shape.
    """
    return _ENCODE[law].take(pcm.view(np.uint16), out=out, mode="clip")
