"""The agent: observes documents, decides routes, and tells the speaker."""
