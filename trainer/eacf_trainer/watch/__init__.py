"""The learning loop: a model's clone learns what a sensor saw since, proves itself on what it never saw, and is pushed.

:mod:`.parent` is what it goes on from, :mod:`.update` trains, :mod:`.gate` judges, :mod:`.triggers` says when, :mod:`.decisions` keeps
what was decided, :mod:`.loop` is all of it in a process that may be killed at any moment. TensorFlow is loaded by :mod:`.update` alone, in
a process of its own.
"""
