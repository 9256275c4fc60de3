"""The composition root: command line, ports, REST and web pages."""
