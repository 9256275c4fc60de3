"""The dialogue engine: a responder that needs no model and no key."""
