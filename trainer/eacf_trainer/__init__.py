"""The trainer's side of eacf: the testbed that makes traffic, and the networks that learn from it."""
