"""Build bgpd's container image without a daemon and without a registry: `scripts/image`."""
