"""The unix sockets of a node."""
