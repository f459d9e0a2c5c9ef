"""The servers under comparison: each is one process on one core, killed when this program ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOUSE = HERE.parent.parent
SPORTELLO = HOUSE / "target" / "release" / "sportello"
SERVER_CORE = "0"
READY_SECONDS_MAX = 30
# CPU that an idle server uses in 0.3 s, at most.
IDLE_SECONDS_MAX = 0.003


class Server:
    def __init__(self, name, data, arguments, environment=None, output=subprocess.DEVNULL):
        self.name, self.data = name, data
        self.certificate, self.key = data / "demo-cert.pem", data / "demo-key.pem"
        pinned = ["taskset", "-c", SERVER_CORE, *map(str, arguments)]
        self.said = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            pinned, env={**os.environ, **(environment or {})}, stdout=output, stderr=self.said, text=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(timeout=60)

    def cpu_seconds(self):
        # The process's CPU clock by clock_getcpuclockid(3), because /proc has a resolution of 10 ms only.
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def settled_cpu_seconds(self):
        """Waits until the server is idle, because work after its replies is part of their cost."""
        before = 0.0
        while (now := self.cpu_seconds()) - before > IDLE_SECONDS_MAX:
            before = now
            time.sleep(0.3)
        return now

    def resident_bytes(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024

    def listens_at(self, port):
        self.address = f"https://127.0.0.1:{port}"
        for _ in range(READY_SECONDS_MAX * 10):
            if self.process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)
        self.starts_not()

    def starts_not(self):
        self.process.kill()
        self.process.wait()
        self.said.seek(0)
        sys.exit(f"{self.name} does not start: {' '.join(self.process.args)}\n{self.said.read()}")


class Sportello(Server):
    """One thread that serves, one that decides, and limits that a single client does not reach."""

    def __init__(self, data, settings=None):
        super().__init__(
            "sportello", data,
            [SPORTELLO, "serve", "--demo", "--data", data, "--listen", "127.0.0.1:0", "--operator", "127.0.0.1:0"],
            {
                "SPORTELLO_SERVER_RUNTIMES": "1",
                "SPORTELLO_JUDGES_THREADS": "1",
                # Thousands of sessions are opened at once, before anything is measured.
                "SPORTELLO_GATE_PEOPLE_PER_SECOND": "1000000",
                "SPORTELLO_LIMITS_ENTER_BY_ADDRESS_PER_SECOND": "1000000",
                "SPORTELLO_LIMITS_ENTER_BY_ADDRESS_BURST": "1000000",
                **(settings or {}),
            },
            subprocess.PIPE,
        )
        words = self.process.stdout.readline().split()
        if len(words) != 4:
            self.starts_not()
        self.address = words[1]

    def template(self, place):
        """The example application, with PERSON in place of the fiscal code."""
        example = (self.data / "demo-application.json").read_text()
        file = place / "template.json"
        file.write_text(re.sub(r'("fiscalCode": )"[^"]+"', r'\1"PERSON"', example))
        return file

    def verified(self, wanted):
        """Stops the server and checks that its ledger holds at least `wanted` submissions."""
        self.stop()
        told = subprocess.run([SPORTELLO, "verify", "--data", self.data], capture_output=True, text=True, check=False)
        print(told.stdout.strip())
        found = re.search(r"accepted (\d+)", told.stdout)
        accepted = int(found.group(1)) if found else 0
        if told.returncode != 0 or accepted < wanted:
            sys.exit(f"the ledger holds {accepted} of {wanted} submissions\n{told.stderr}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
