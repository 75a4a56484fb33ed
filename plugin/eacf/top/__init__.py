"""`eacf top`: a live view of all who answer on a bus.

`watch` keeps what each of them said of late, `figures` makes numbers of it, `frame` makes lines that fit a terminal; none of them
reads a clock, a bus or a terminal. `loop` does.
"""
