"""Conversations in text: the same agent as on the phone, turn by turn over REST."""
