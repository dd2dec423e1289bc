"""Documents: from text to objects in force."""
