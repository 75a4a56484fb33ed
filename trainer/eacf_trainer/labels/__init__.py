"""What a label map could be: server names of captures, what belongs together by evidence, and rules suggested from it.

The maps themselves are :mod:`eacf.labels`. Reading order: `seen` (server names and where), `evidence` (what belongs together),
`suggest` (groups and rules), `remarks` (what is odd about a map).
"""
