"""Pages that people follow, followed."""
