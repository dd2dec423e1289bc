"""The unix sockets of a node: agent to speaker, and bgpctl to either."""
