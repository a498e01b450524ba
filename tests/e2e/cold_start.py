"""Cold start and memory of a function binary.

    python cold_start.py target/release/token-failover-function

The cold start is the time from the start of the process to its first request for an event. It does not include Lambda's
own share, the sandbox and the download of the code. The memory is the maximum of the process after one whole failover in
the project's simulator, without TLS, which EC2 and SNS require.
"""

import json
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from clouds import Simulator
from harness import CREDENTIALS, ROOT

STARTS = 20
FUNCTION_ARN = "arn:aws:lambda:eu-west-1:123456789012:function:token-failover"
EVENT = ROOT / "events" / "operator-failover.json"


def start(binary, port, **variables):
    """The function as Lambda starts it, with the runtime API on a port of the loopback interface."""
    environment = CREDENTIALS | {
        "TOKEN_SERVER_INTERFACE_ID": Simulator.interface,
        "TOKEN_SERVER_INSTANCE_IDS": f"{Simulator.holder},{Simulator.standby}",
        "NOTIFICATION_TOPIC_ARN": Simulator.topic,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_LAMBDA_FUNCTION_NAME": "token-failover",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_LOG_GROUP_NAME": "token-failover",
        "AWS_LAMBDA_LOG_STREAM_NAME": "1",
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
    }
    return subprocess.Popen([binary], env=environment | variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def milliseconds_to_first_request(binary):
    with socket.create_server(("127.0.0.1", 0)) as runtime_api:
        runtime_api.settimeout(30)
        started = time.perf_counter()
        process = start(binary, runtime_api.getsockname()[1])
        try:
            connection, _ = runtime_api.accept()
            with connection:
                request = connection.recv(65536)
                elapsed = time.perf_counter() - started
        finally:
            process.kill()
            process.wait()
    if not request.startswith(b"GET /2018-06-01/runtime/invocation/next "):
        raise RuntimeError(f"not a request for an event: {request[:80]!r}")
    return elapsed * 1000


class OneInvocation(BaseHTTPRequestHandler):
    """Lambda's runtime API for a function that is invoked once."""

    protocol_version = "HTTP/1.1"

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            pass  # The function was ended while it waited for the next event.

    def do_GET(self):
        if self.server.answer is not None:
            self.server.finished.wait()
            self.close_connection = True
            return
        event = EVENT.read_bytes()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", "11111111-0000-4000-8000-000000000001")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + 60_000))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", FUNCTION_ARN)
        self.send_header("Content-Length", str(len(event)))
        self.end_headers()
        self.wfile.write(event)

    def do_POST(self):
        self.server.answer = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answered.set()
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def mebibytes_after_a_failover(binary):
    with Simulator() as simulator, ThreadingHTTPServer(("127.0.0.1", 0), OneInvocation) as runtime_api:
        runtime_api.answer, runtime_api.answered, runtime_api.finished = None, threading.Event(), threading.Event()
        threading.Thread(target=runtime_api.serve_forever, daemon=True).start()
        process = start(binary, runtime_api.server_port, AWS_ENDPOINT_URL=simulator.endpoint)
        try:
            if not runtime_api.answered.wait(60):
                raise TimeoutError("the function does not answer")
            # The kernel's maximum for this process. getrusage would include Python.
            status = Path(f"/proc/{process.pid}/status").read_text()
        finally:
            process.kill()
            process.wait()
            runtime_api.finished.set()
            runtime_api.shutdown()
    outcome = json.loads(runtime_api.answer).get("outcome")
    if outcome != "moved":
        raise RuntimeError(f"not a failover: {runtime_api.answer.decode()}")
    return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[1]) / 1024


def main():
    [binary] = sys.argv[1:]
    binary = Path(binary).resolve()
    times = sorted(milliseconds_to_first_request(binary) for _ in range(STARTS))
    print(f"cold start: {statistics.median(times):.1f} ms (median of {STARTS}, {times[0]:.1f} to {times[-1]:.1f} ms)")
    print(f"peak memory: {mebibytes_after_a_failover(binary):.1f} MiB")


if __name__ == "__main__":
    main()
