"""How an agent does that keeps many entries: how soon it heals, what it takes while nothing happens, and while much does."""
import json
import os
import subprocess
import sys
import time

from lab import Failure, Taken, run


class Agent:
    """`weft agent` in a namespace, settled."""

    def __init__(self, weft, namespace, document, folder):
        self.weft, self.namespace, self.document = weft, namespace, document
        self.environment = {**os.environ, "WEFT_RUN_DIR": f"{folder}/agent"}
        self.log = open(f"{folder}/agent.log", "w+")
        self.process = subprocess.Popen(
            [weft, "agent", document, "--netns", namespace.name], stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log, env=self.environment)

    def __enter__(self):
        self.wait("has done its first work", lambda: "lastPass" in self.status(), 120)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()

    def wait(self, what, condition, limit):
        end = time.monotonic() + limit
        while not condition():
            if time.monotonic() > end or self.process.poll() is not None:
                self.log.seek(0)
                raise Failure(f"the agent never {what}\n{self.log.read()[-1500:]}")
            time.sleep(0.2)

    def status(self):
        text = subprocess.run([self.weft, "status", "--format", "json", "--netns", self.namespace.name],
                              capture_output=True, text=True, env=self.environment).stdout
        return (json.loads(text) if text else {}).get("agent") or {}

    def expect_nothing_to_do(self):
        diff = subprocess.run([self.weft, "diff", self.document, "--netns", self.namespace.name],
                              capture_output=True, text=True)
        if diff.returncode != 0:
            raise Failure(f"after all of it something differs\n{diff.stdout[-1500:]}{diff.stderr[-500:]}")

    def seconds(self):
        """Of the processor's time, so far."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, seconds):
        """Resident, in KiB: the least of so many seconds, as what one look at the host takes is given back later."""
        def now():
            with open(f"/proc/{self.process.pid}/status") as file:
                return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))
        least = now()
        for _ in range(4 * seconds):
            time.sleep(0.25)
            least = min(least, now())
        return least

    def heal(self, entries, vteps, rounds):
        """The seconds until each of some disturbances is taken back."""
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "heal.py")
        text = run(["ip", "netns", "exec", self.namespace.name, sys.executable, script, "vx0", "br0", entries, vteps,
                    rounds])
        return [Taken(seconds=float(line)) for line in text.split()]


def storm(namespace, folder, events):
    """Has the kernel tell of so many changes, of entries that no document names."""
    path = f"{folder}/storm"
    with open(path, "w") as file:
        for number in range(5000):
            mac = f"06:00:00:00:{number >> 8:02x}:{number & 255:02x}"
            file.write(f"fdb replace {mac} dev storm0 dst 198.51.100.{number % 200 + 1} self permanent\n"
                       f"fdb del {mac} dev storm0 self\n")
    for _ in range(max(events // 10000, 1)):
        run(["bridge", "-n", namespace.name, "-batch", path])
