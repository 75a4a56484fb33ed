"""A TCP stream as fast as it goes, and how fast it was at its receiver.

python stream.py server ADDRESS SECONDS     takes streams, one after the other, and measures each for so long
python stream.py client ADDRESS             sends one, and prints its rate in Mbit/s
"""

from __future__ import annotations

import os
import socket
import sys
import time

PORT = 5201
WARM_S = 0.5
PIECE = bytes(1 << 18)


def serve(address: str, run_s: float) -> None:
    """Take streams, one after the other, and say how much of each came in the time that counts."""
    listener = socket.create_server((address, PORT))
    while True:
        taken, _ = listener.accept()
        with taken:
            buffer = bytearray(1 << 18)
            begin, got = time.monotonic() + WARM_S, 0
            while (now := time.monotonic()) < begin + run_s and (size := taken.recv_into(buffer)):
                got += size if now >= begin else 0
            taken.sendall(f"{got * 8 / 1e6 / run_s:.3f}\n".encode())
            while taken.recv_into(buffer):  # else the kernel would end it with a reset, and the figure be lost
                pass


def use(address: str) -> None:
    """Send a stream until the other end has seen enough; print its rate in Mbit/s."""
    with socket.create_connection((address, PORT)) as end:
        end.setblocking(False)
        while True:
            try:
                while True:
                    end.send(PIECE)
            except BlockingIOError:
                time.sleep(0.0005)
            except OSError:
                break
            try:
                said = end.recv(64)
            except BlockingIOError:
                continue
            if said:
                print(said.decode().strip())
            break


def main() -> None:
    """Each end on a core of its own, where there are two: else the scheduler's choice is the largest difference between two runs."""
    cores = sorted(os.sched_getaffinity(0))
    server = sys.argv[1] == "server"
    os.sched_setaffinity(0, {cores[-1 if server else 0]})
    if server:
        serve(sys.argv[2], float(sys.argv[3]))
    else:
        use(sys.argv[2])


if __name__ == "__main__":
    main()
