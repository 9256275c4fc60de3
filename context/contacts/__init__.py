"""People who call, and the context box that travels with each of them."""
