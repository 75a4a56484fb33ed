"""The paper's section IV on any dataset, and beside each of its figures what it did not show.

``settings`` says what is run, ``plan`` which cells that makes, ``compute`` runs one cell, ``run`` all that are not there yet (in
processes), ``store`` keeps each as a small JSON, ``results`` sums them up, ``sections`` and ``plots`` make tables and figures of them,
``page`` writes the files. ``data`` takes flows from a dataset, ``inputs`` makes rows of them, ``controls`` takes out of a flow's payload
what a control is to take out, ``models`` are the six of the paper, ``timing`` is the time a flow, ``paper`` what the paper's text states.
"""
