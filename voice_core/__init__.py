"""The audio pipeline of a call: VAD, streaming ASR, turn-taking, TTS and playout.

Knows no tenant, no HTTP and no SIP; the rooms above it hand in audio and a `Responder`
and get back paced audio, notices and a `CallRecord`.
"""
