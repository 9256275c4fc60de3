"""The subcommands of `parley`, one module each."""
