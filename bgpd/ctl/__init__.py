"""The command lines: `bgpctl` for people, `bgpd` for supervisors."""
