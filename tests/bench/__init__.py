"""What is measured by a command instead of asserted by a test."""
