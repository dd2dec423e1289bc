"""Kubernetes-style objects, and the sources that they come from."""
