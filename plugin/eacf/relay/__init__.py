"""``eacf relay``: a loopback bus, offered to other machines under ZeroMQ's CURVE.

`rules` says who may say and hear what, `clients` who is let in, `account` counts, `relay` holds the sockets, `loop` is the process.
"""
