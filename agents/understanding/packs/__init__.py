"""One module of data per language; `agents.understanding.language_pack` says what it holds."""
