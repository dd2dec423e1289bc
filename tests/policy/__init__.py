"""Policy: from snapshot to routes."""
