"""Runs the built function as Lambda would: under AWS's Runtime Interface Emulator, on free ports of the loopback
interface, with its own environment. Every process ends with the block that started it, even after an exception."""

import json
import os
import platform
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
REGION = "eu-west-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION}

# Requests go to the loopback interface, whatever proxy the environment names.
_http = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port():
    """A free port. It is below the ports for outgoing connections, so no connection can take it before the caller listens."""
    while True:
        port = random.randrange(15_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def http(method, url, body=None, timeout=90):
    """The body of the answer, parsed if it is JSON. A status of 400 or more is an error with the body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": "application/json"})
    try:
        with _http.open(request, timeout=timeout) as response:
            text = response.read().decode()
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{method} {url}: {error.code} {error.read().decode(errors='replace')}") from None
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


class Process:
    """A process in its own folder, for as long as a block runs. The block begins when `ready` accepts the output of the
    process. If the block ends with an exception, the output is shown."""

    def __init__(self, command, ready, environment=None):
        self.command = [str(part) for part in command]
        self.ready = ready
        self.environment = environment

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.log = Path(self.folder.name) / "output"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder.name, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def _wait_until_ready(self, seconds=60):
        deadline = time.monotonic() + seconds
        while not self.ready(self.output()):
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.command[0]} ended with exit status {self.process.returncode}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.command[0]} is not ready after {seconds} seconds")
            time.sleep(0.02)

    def __exit__(self, exception, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if exception is not None:
            print(f"\n---- output of {self.command[0]} ----\n{self.output()}---- end of output ----", file=sys.stderr)
        self.folder.cleanup()

    def output(self):
        return self.log.read_text(errors="replace")


def runtime_interface_emulator():
    """AWS's own emulator of the Lambda runtime interface, from the Python package aws-sam-cli."""
    machine = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine().lower()]
    packages = ROOT / ".tools" / "sam" / "lib"
    found = list(packages.glob(f"python3*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}"))
    if not found:
        raise FileNotFoundError("no aws-lambda-rie in .tools/sam: run the tests with `make e2e`")
    return found[0]


class FunctionError(Exception):
    """The invocation failed, as Lambda reports it."""

    def __init__(self, answer):
        super().__init__(json.dumps(answer))
        self.type, self.message = answer["errorType"], answer["errorMessage"]


def is_arm64():
    """Whether this machine runs arm64 programs by itself."""
    return platform.machine().lower() in ("aarch64", "arm64")


def emulated(program):
    """The command that runs an arm64 program here."""
    if is_arm64():
        return [program]
    root = ROOT / ".tools" / "qemu" / "usr"
    return [root / "bin" / "qemu-aarch64-static", "-L", root / "aarch64-linux-gnu", program]


class Function(Process):
    """A function, ready to be invoked: the one that was built for this machine, or the one that this command starts."""

    def __init__(self, endpoint, command=None, **variables):
        self.port = free_port()
        started = command or [TARGET / "token-failover-function"]
        if not Path(started[-1]).exists():
            raise FileNotFoundError(f"{started[-1]}: build it with `make build`")
        command = [
            runtime_interface_emulator(),
            "--runtime-interface-emulator-address", f"127.0.0.1:{self.port}",
            "--runtime-api-address", f"127.0.0.1:{free_port()}",
            *started,
        ]
        environment = CREDENTIALS | variables | {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_LAMBDA_FUNCTION_NAME": "token-failover",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": "60",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
        }
        super().__init__(command, lambda _: listens(self.port), environment)

    def invoke(self, payload):
        """The function's report."""
        answer = http("POST", f"http://127.0.0.1:{self.port}/2015-03-31/functions/function/invocations", payload)
        if not isinstance(answer, dict):
            raise RuntimeError(f"not an answer of the function: {answer!r}")
        if "errorType" in answer:
            raise FunctionError(answer)
        return answer
