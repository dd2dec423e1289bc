"""The agent and its parts."""
