"""The people who work with Parley: accounts, sign-in, sessions, and the outside services they connect for a tenant."""
