"""Namespaces to measure in, and what a command took."""
import dataclasses
import glob
import os
import subprocess
import tempfile
import time


class Failure(Exception):
    """A command failed, or the kernel does not hold what it should."""


@dataclasses.dataclass
class Taken:
    """What one command, or several one after the other, took."""
    seconds: float = 0.0
    user: float = 0.0
    system: float = 0.0
    peak: int = 0  # KiB
    output: str = ""

    def __add__(self, other):
        return Taken(self.seconds + other.seconds, self.user + other.user, self.system + other.system,
                     max(self.peak, other.peak), self.output + other.output)


class Lab:
    def __init__(self, programs):
        self.programs = programs  # The folder of floor, events and spend.
        self.used = 0

    def spend(self, command, statuses=(0,), **options):
        """Runs a command by way of `spend`, so that the memory is the command's own."""
        with tempfile.NamedTemporaryFile("r") as file:
            process = subprocess.run(
                [f"{self.programs}/spend", file.name, *map(str, command)], stdin=subprocess.DEVNULL,
                stdout=options.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE, text=True, **options)
            numbers = file.read().split()
        if process.returncode != 0 or int(numbers[4]) not in statuses:
            status = numbers[4] if numbers else process.returncode
            raise Failure(f"{' '.join(map(str, command))}\nended with {status}\n"
                          f"{(process.stdout or '')[-500:]}{process.stderr[-1500:]}")
        return Taken(float(numbers[0]), float(numbers[1]), float(numbers[2]), int(numbers[3]), process.stdout or "")

    def floor(self, namespace, *arguments):
        """The time that the program itself took, from the first message on."""
        taken = self.spend([f"{self.programs}/floor", namespace, *arguments])
        taken.seconds = float(taken.output.split()[0])
        return taken

    # MARK: namespaces

    def namespace(self, address=None):
        """A new one. Its name is seen by this run alone: Scripts/bench gives it a /run/netns of its own.

        With an address it is like a host: without any, the kernel looks for one at every link for each bridge that
        comes up, to send its IGMP report from.
        """
        self.used += 1
        return Namespace(f"bench-{os.getpid()}-{self.used}", address)


class Namespace:
    def __init__(self, name, address):
        self.name = name
        self.address = address

    def __enter__(self):
        settle()
        run(["ip", "netns", "add", self.name])
        if self.address:
            run(["ip", "-n", self.name, "link", "set", "lo", "up"])
            run(["ip", "-n", self.name, "address", "add", f"{self.address}/32", "dev", "lo"])
        return self

    def __exit__(self, *_):
        run(["ip", "netns", "del", self.name])
        settle()

    def counts(self):
        """How many links and entries there are, told by iproute2."""
        def lines(*command):
            return run(command).splitlines()
        name = self.name
        fdb = lines("bridge", "-n", name, "fdb", "show")
        neighbours = lines("ip", "-n", name, "neigh", "show", "nud", "permanent")
        return {
            "bridges": len(lines("ip", "-n", name, "-o", "link", "show", "type", "bridge")),
            "vxlans": len(lines("ip", "-n", name, "-o", "link", "show", "type", "vxlan")),
            "fdb": sum(" dst " in line for line in fdb),
            "neighbours": len(neighbours),
        }

    def expect(self, what, **wanted):
        found = self.counts()
        wrong = {key: (count, found[key]) for key, count in wanted.items() if found[key] != count}
        if wrong:
            texts = [f"{count} {key} wanted, {there} there" for key, (count, there) in wrong.items()]
            raise Failure(f"after {what} the kernel does not hold what it should: {'; '.join(texts)}")

    def count_at(self, vtep):
        """FDB entries to one VTEP."""
        lines = run(["bridge", "-n", self.name, "fdb", "show", "dev", "vx0"]).splitlines()
        return sum(f" dst {vtep} " in line for line in lines)


def run(command):
    process = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if process.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}\nended with {process.returncode}\n{process.stderr[-1500:]}")
    return process.stdout


def settle(limit=120):
    """Waits until the kernel has done away with namespaces that were deleted before.

    It does so in a worker, which holds the lock that all others want: the next measurement would be one of that.
    The worker has the queue's name in its own while it is at it.
    """
    end = time.monotonic() + limit
    quiet = 0
    while quiet < 3 and time.monotonic() < end:
        quiet = 0 if is_deleting() else quiet + 1
        time.sleep(0.05)


def is_deleting():
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(path) as file:
                name = file.read().rstrip()
        except OSError:
            continue
        if name.startswith("kworker/") and name.endswith("+netns"):
            return True
    return False
