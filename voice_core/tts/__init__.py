"""Text to speech: streamed text in, clauses of 24 kHz audio with word times out.

`EmbeddedTts` is the entrance; `VoiceCall` and the command line use it through `voice_core.speech.Voice`.
Heavy engines are imported only when they are loaded.
"""
