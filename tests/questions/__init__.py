"""The questions of an operator, each asked of a lab that is in the state in which it is asked."""
