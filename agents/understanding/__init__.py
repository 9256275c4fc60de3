"""What a caller's words mean: intents and slots, in the languages that have a pack."""
