"""Speech and language engines by a line of configuration, with health and fallback."""
