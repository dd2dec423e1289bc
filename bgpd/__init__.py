"""bgpd: elastic IPs for bare-metal Kubernetes that survive a dead node."""
