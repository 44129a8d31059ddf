"""Cold start of functions: from the start of the process until it asks Lambda's Runtime API for its first event.

    python3 tests/measure/cold_start.py BINARY [BINARY ...]

Prints the median of 30 starts of each, the ratio to the first one, and the size of the file. Standard library only;
the Runtime API is a socket of this process, so both sides pay for one loopback connection.
"""

import os
import socket
import statistics
import subprocess
import sys
import time

STARTS = 30
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "key",
    "AWS_LAMBDA_FUNCTION_NAME": "measured",
    "AWS_LAMBDA_FUNCTION_VERSION": "1",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
    "AWS_LAMBDA_LOG_GROUP_NAME": "measured",
    "AWS_LAMBDA_LOG_STREAM_NAME": "measured",
    "LASTGOOD_TABLE": "table",
    "LASTGOOD_BUS": "bus",
    "LASTGOOD_STACK": "stack",
    "LASTGOOD_ACCOUNT": "123456789012",
}


def start(binary, listener):
    """Milliseconds from spawn to the request for the first event."""
    environment = ENVIRONMENT | {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:%d" % listener.getsockname()[1]}
    begun = time.perf_counter()
    process = subprocess.Popen([binary], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        connection, _ = listener.accept()
        with connection:
            asked = connection.recv(4096)
        taken = (time.perf_counter() - begun) * 1000
        assert b"/invocation/next" in asked, asked
        return taken
    finally:
        process.kill()
        process.wait()


def main(binaries):
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)
    first = None
    for binary in binaries:
        start(binary, listener)  # Once unmeasured, so that the file is in memory for each.
        median = statistics.median(start(binary, listener) for _ in range(STARTS))
        first = first or median
        size = os.path.getsize(binary) / 1_000_000
        print(f"{os.path.basename(binary):20} {median:6.1f} ms  {median / first:4.1f} x  {size:5.1f} MB")


if __name__ == "__main__":
    main(sys.argv[1:]) if sys.argv[1:] else sys.exit(__doc__)
