"""Embedded streaming speech recognition: Whisper on CTranslate2 with a short encoder window."""
