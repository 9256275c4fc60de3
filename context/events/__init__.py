"""The event bus: what happened, told to whoever must know, durably."""
