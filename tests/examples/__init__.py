"""Facts about the example sets, and about what a host without Kubernetes runs."""
