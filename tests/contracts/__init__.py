"""One test body, many implementations: what a fake says, the real thing says too."""
