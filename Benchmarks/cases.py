"""The workloads, done by each program in turn."""
import os
import shutil
import subprocess
import time

import workloads
from agent import Agent, storm
from lab import Failure, Taken, run

HERE = os.path.dirname(os.path.abspath(__file__))


class Sizes:
    def __init__(self, quick):
        self.entries, self.vteps, self.moved = (2000, 50, 20) if quick else (100_000, 1000, 100)
        self.tenants = [20] if quick else [200, 1000, 4000]
        self.vnis = 1000 if quick else 10_000
        self.growth = [(500, 1), (2000, 1), (5000, 5)] if quick else [(10_000, 1), (100_000, 1), (1_000_000, 20)]
        self.ifstate_entries = 10_000  # At 100,000 it takes several minutes.
        self.ifupdown2_tenants = 200
        self.heals, self.idle_seconds, self.events = (40, 2, 20_000) if quick else (1000, 30, 1_000_000)
        self.settle_seconds = 1 if quick else 15  # Longer than from one look of an agent to the next.


class Cases:
    def __init__(self, lab, results, options):
        self.lab, self.results, self.options = lab, results, options
        self.sizes = Sizes(options.quick)
        self.weft = options.weft
        self.python = f"{options.programs}/venv/bin/python"
        self.with_peers = not (options.quick or options.no_peers)

    # MARK: what is the same everywhere

    def folder(self, name, write, *arguments):
        path = os.path.join(self.options.work, name)
        os.makedirs(path)
        write(path, *arguments)
        return path

    def take_turns(self, what, contenders):
        """A run of each, then the next run of each: what else the machine does falls on all of them.

        Contenders are (name, function, how many runs); the name is for who reads this.
        """
        last = max(runs for _, _, runs in contenders)
        for number in range(last):
            self.options.say(f"{what}, run {number + 1} of {last}")
            for _, function, runs in contenders:
                if number < runs:
                    function()

    def apply(self, namespace, document):
        return self.lab.spend([self.weft, "apply", document, "--netns", namespace.name])

    def expect_nothing_to_do(self, namespace, document, after):
        """weft's opinion of what another program made: it is the same work only if nothing is left."""
        taken = self.lab.spend([self.weft, "diff", document, "--netns", namespace.name], statuses=(0, 2))
        if "Nothing to do." not in taken.output:
            raise Failure(f"after {after} weft finds something to do:\n{taken.output[-1000:]}")

    def batch(self, namespace, *steps):
        """iproute2, from files: (program, file) one after the other."""
        taken = Taken()
        for program, path in steps:
            taken += self.lab.spend([program, "-n", namespace.name, "-batch", path])
        return taken

    # MARK: W1, W2, W3, HALF, BACK

    def bulk(self):
        size, vteps, moved = self.sizes.entries, self.sizes.vteps, self.sizes.moved
        folder = self.folder("bulk", workloads.write_bulk, workloads.Bulk(size, vteps),
                             workloads.Bulk(size, vteps, moved=moved), True,
                             workloads.Bulk(size, vteps, moved=moved, halved=True))
        filled = {"bridges": 1, "vxlans": 1, "fdb": size + vteps, "neighbours": size}
        # That many more than others have, less the ones that went to the second.
        at_second = sum(workloads.Bulk(size, vteps, moved=moved).vtep(n) == workloads.vtep(1) for n in range(size)) + 1

        def add(workload, program, taken):
            self.results.add(workload, size, program, taken)

        def check_moved(namespace, program):
            namespace.expect(f"{program}, some moved", **filled)
            self.expect_nothing_to_do(namespace, f"{folder}/moved.yaml", program)
            if namespace.count_at(workloads.vtep(1)) != at_second:
                raise Failure(f"after {program} some entries have not moved")

        def check_halved(namespace, program):
            half = (size + 1) // 2
            namespace.expect(f"{program}, half of them gone", **(filled | {"fdb": half + vteps, "neighbours": half}))
            self.expect_nothing_to_do(namespace, f"{folder}/halved.yaml", program)

        def floor():
            with self.lab.namespace() as namespace:
                add("W1", "floor", self.lab.floor(namespace.name, "bulk", size, vteps, 1))
                namespace.expect("the floor", **filled)
                self.expect_nothing_to_do(namespace, f"{folder}/weft.yaml", "the floor")
                add("W2", "floor (dump)", self.lab.floor(namespace.name, "dump"))
                add("W3", "floor (sends)", self.lab.floor(namespace.name, "delta", moved, vteps))
                check_moved(namespace, "the floor")

        def weft():
            with self.lab.namespace() as namespace:
                add("W1", "weft", self.apply(namespace, f"{folder}/weft.yaml"))
                namespace.expect("weft", **filled)
                add("W2", "weft", self.apply(namespace, f"{folder}/weft.yaml"))
                add("W3", "weft", self.apply(namespace, f"{folder}/moved.yaml"))
                check_moved(namespace, "weft")
                add("HALF", "weft", self.apply(namespace, f"{folder}/halved.yaml"))
                check_halved(namespace, "weft")
                add("BACK", "weft", self.apply(namespace, f"{folder}/moved.yaml"))
                check_moved(namespace, "weft")

        def batch():
            entries = (("ip", f"{folder}/neighbours.ip"), ("bridge", f"{folder}/fdb.bridge"))
            with self.lab.namespace() as namespace:
                add("W1", "ip+bridge -batch", self.batch(namespace, ("ip", f"{folder}/links.ip"), *entries))
                namespace.expect("iproute2", **filled)
                self.expect_nothing_to_do(namespace, f"{folder}/weft.yaml", "iproute2")
                add("W2", "ip+bridge -batch", self.batch(namespace, *entries))
                add("W3", "bridge -batch (delta given)", self.batch(namespace, ("bridge", f"{folder}/moved.bridge")))
                check_moved(namespace, "iproute2")
                add("HALF", "ip+bridge -batch (delta given)", self.batch(
                    namespace, ("ip", f"{folder}/halved.ip"), ("bridge", f"{folder}/halved.bridge")))
                check_halved(namespace, "iproute2")

        def pyroute2():
            with self.lab.namespace() as namespace:
                add("W1", "pyroute2", self.lab.spend(
                    [self.python, f"{HERE}/peers/pyroute2_bulk.py", namespace.name, f"{folder}/pyroute2.json"]))
                namespace.expect("pyroute2", **filled)

        runs = self.options.runs
        contenders = [("floor", floor, runs), ("weft", weft, runs), ("iproute2", batch, runs)]
        if self.with_peers:
            contenders.append(("pyroute2", pyroute2, self.options.slow_runs))
        self.take_turns("bulk", contenders)
        if self.with_peers:
            self.ifstate()

    def ifstate(self):
        """With fewer entries than W1, so beside the others with as few."""
        size, vteps = self.sizes.ifstate_entries, self.sizes.vteps
        folder = self.folder("ifstate", workloads.write_bulk, workloads.Bulk(size, vteps), workloads.Bulk(size, vteps))
        filled = {"bridges": 1, "vxlans": 1, "fdb": size + vteps, "neighbours": size}
        command = f"{self.options.programs}/venv/bin/ifstatecli"

        def turn(program, function):
            def run():
                with self.lab.namespace() as namespace:
                    self.results.add("W1", size, program, function(namespace))
                    namespace.expect(program, **filled)
            return run

        self.take_turns("bulk for ifstate", [
            ("floor", turn("floor", lambda n: self.lab.floor(n.name, "bulk", size, vteps, 1)), self.options.slow_runs),
            ("weft", turn("weft", lambda n: self.apply(n, f"{folder}/weft.yaml")), self.options.slow_runs),
            ("ifstate", turn("ifstate", lambda n: self.lab.spend(
                [f"{HERE}/peers/isolated", n.name, command, "-q", "-c", f"{folder}/ifstate.yaml", "apply"])),
             self.options.slow_runs)])

    # MARK: W4

    def tenants(self):
        for size in self.sizes.tenants:
            self.tenants_of(size)

    def tenants_of(self, size):
        folder = self.folder(f"tenants-{size}", workloads.write_tenants, workloads.Tenants(size))
        filled = {"bridges": size, "vxlans": size, "fdb": size * workloads.FLOOD_OF_TENANT}

        def turn(program, function, is_same=True):
            def run():
                with self.lab.namespace(workloads.LOCAL) as namespace:
                    self.results.add("W4", size, program, function(namespace))
                    namespace.expect(program, **filled)
                    if is_same:
                        self.expect_nothing_to_do(namespace, f"{folder}/weft.yaml", program)
            return run

        def least(namespace):
            taken = self.lab.spend([f"{self.options.programs}/events", f"{folder}/weft.yaml"])
            taken += self.lab.floor(namespace.name, "tenants", size)
            taken += self.lab.floor(namespace.name, "dump")
            return taken

        runs = self.options.runs if size < 4000 else self.options.slow_runs
        contenders = [
            ("floor", turn("floor", lambda n: self.lab.floor(n.name, "tenants", size)), runs),
            # What reads a document and looks afterwards takes no less, if it does these one after the other.
            ("the least", turn("libyaml events, floor, dump in C", least), runs),
            ("weft", turn("weft", lambda n: self.apply(n, f"{folder}/weft.yaml")), runs),
            ("iproute2", turn("ip+bridge -batch", lambda n: self.batch(
                n, ("ip", f"{folder}/links.ip"), ("bridge", f"{folder}/fdb.bridge"))), runs)]
        unpacked = f"{self.options.programs}/ifupdown2"
        if self.with_peers and size <= self.sizes.ifupdown2_tenants and os.path.isdir(unpacked):
            contenders.append(("ifupdown2", turn("ifupdown2", lambda n: self.lab.spend(
                [f"{HERE}/peers/ifup", n.name, unpacked, f"{folder}/interfaces"]), is_same=False),
                self.options.slow_runs))
        self.take_turns(f"{size} tenants", contenders)

    def gone(self):
        size = self.sizes.tenants[0]
        folder = self.folder("gone", workloads.write_tenants, workloads.Tenants(size))

        def turn(program, function):
            def run():
                with self.lab.namespace(workloads.LOCAL) as namespace:
                    self.lab.floor(namespace.name, "tenants", size)
                    self.results.add("GONE", size, program, function(namespace))
                    namespace.expect(program, bridges=0, vxlans=0)
            return run

        self.take_turns(f"{size} tenants go", [
            ("weft", turn("weft", lambda n: self.apply(n, f"{folder}/gone.yaml")), self.options.runs),
            ("iproute2", turn("ip -batch", lambda n: self.batch(n, ("ip", f"{folder}/gone.ip"))), self.options.slow_runs),
            # All of them by one message, during which nobody else gets at the kernel's lock.
            ("the group", turn("ip link del group", lambda n: self.lab.spend(
                ["ip", "-n", n.name, "link", "del", "group", workloads.WEFT_GROUP])), self.options.runs)])

    def vnis(self):
        size = self.sizes.vnis
        folder = self.folder("vnis", workloads.write_vnis, workloads.VNIs(size))

        def turn(program, function):
            def run():
                with self.lab.namespace() as namespace:
                    self.results.add("VNI", size, program, function(namespace))
                    namespace.expect(program, vxlans=1)
                    self.expect_nothing_to_do(namespace, f"{folder}/weft.yaml", program)
                    last = subprocess.run(["bridge", "-n", namespace.name, "vni", "show"], capture_output=True,
                                          text=True).stdout
                    if f"-{10000 + size - 1}" not in last:
                        raise Failure(f"after {program} the VNIs are not there:\n{last[-500:]}")
            return run

        self.take_turns("VNIs on one device", [
            ("floor", turn("floor", lambda n: self.lab.floor(n.name, "vnis", size)), self.options.runs),
            ("weft", turn("weft", lambda n: self.apply(n, f"{folder}/weft.yaml")), self.options.runs),
            ("iproute2", turn("ip+bridge -batch", lambda n: self.batch(
                n, ("ip", f"{folder}/links.ip"), ("bridge", f"{folder}/vnis.bridge"))), self.options.runs)])
        if shutil.which("strace"):
            self.results.facts["messages for the VNIs"] = self.count_messages(f"{folder}/weft.yaml")

    def count_messages(self, document):
        """How many requests other than questions weft sends, seen from outside."""
        path = os.path.join(self.options.work, "strace")
        with self.lab.namespace() as namespace:
            self.lab.spend(["strace", "-f", "-e", "trace=sendto,sendmsg", "-e", "abbrev=none", "-o", path,
                            self.weft, "apply", document, "--netns", namespace.name])
        with open(path) as file:
            headers = [part.split("}")[0] for line in file for part in line.split("nlmsg_len=")[1:]]
        return sum("nlmsg_type=RTM_GET" not in header and "DUMP" not in header for header in headers)

    # MARK: W5, W6

    def parse(self):
        size, vteps = self.sizes.entries, self.sizes.vteps
        folder = self.folder("parse", workloads.write_bulk, workloads.Bulk(size, vteps), workloads.Bulk(size, vteps),
                             False)
        document = f"{folder}/weft.yaml"
        script = "import sys, yaml; yaml.load(open(sys.argv[1]), yaml.CSafeLoader)"
        loader = self.python if os.path.exists(self.python) else "python3"
        program = self.options.programs

        def turn(name, command):
            return (name, lambda: self.results.add("W5", size, name, self.lab.spend(command)), self.options.runs)

        contenders = [turn("libyaml events in C", [f"{program}/events", document]),
                      turn("weft validate", [self.weft, "validate", document])]
        if subprocess.run([loader, "-c", "import yaml; yaml.CSafeLoader"], capture_output=True).returncode == 0:
            contenders.append(turn("PyYAML CSafeLoader", [loader, "-c", script, document]))
        self.take_turns("parse", contenders)

    def fabric(self):
        size, vteps = self.sizes.entries, self.sizes.vteps
        folder = self.folder("fabric", workloads.write_fabric, workloads.Fabric(vteps, size))

        def turn(name, command):
            def run():
                taken = self.lab.spend(command, stdout=subprocess.DEVNULL)
                self.results.add("W6", size, name, taken)
            return (name, run, self.options.runs)

        contenders = []
        for kind in ("yaml", "csv", "ndjson"):
            document = f"{folder}/{kind}.yaml"
            contenders.append(turn(f"weft mtu, {kind}", [self.weft, "mtu", document]))
            contenders.append(turn(f"weft compile, {kind}", [self.weft, "compile", document, "--host", "host-0"]))
        contenders.append(turn("libyaml events in C", [f"{self.options.programs}/events", f"{folder}/yaml.yaml"]))
        self.take_turns("fabric", contenders)
        compiled = [self.lab.spend([self.weft, "compile", f"{folder}/{kind}.yaml", "--host", "host-0"]).output
                    for kind in ("yaml", "csv", "ndjson")]
        if len(set(compiled)) != 1 or compiled[0].count("\n") < size:
            raise Failure("the fabric's kinds of tables do not compile to the same entries")

    # MARK: W7, start

    def growth(self):
        vteps = self.sizes.vteps
        for size, devices in self.sizes.growth:
            folder = self.folder(f"growth-{size}", workloads.write_bulk, workloads.Bulk(size, vteps, devices),
                                 workloads.Bulk(size, vteps, devices, moved=1), False)
            filled = {"bridges": devices, "vxlans": devices, "fdb": size + vteps * devices, "neighbours": size}

            def floor():
                with self.lab.namespace() as namespace:
                    taken = self.lab.floor(namespace.name, "bulk", size, vteps, devices)
                    self.results.add("W7", size, "floor", taken)
                    namespace.expect("the floor", **filled)

            def weft():
                with self.lab.namespace() as namespace:
                    taken = self.apply(namespace, f"{folder}/weft.yaml")
                    self.results.add("W7", size, "weft apply", taken, filled["fdb"] + filled["neighbours"])
                    namespace.expect("weft", **filled)
                    taken = self.apply(namespace, f"{folder}/weft.yaml")
                    self.results.add("W7", size, "weft apply, no-op", taken, filled["fdb"] + filled["neighbours"])

            def validate():
                taken = self.lab.spend([self.weft, "validate", f"{folder}/weft.yaml"])
                self.results.add("W7", size, "weft validate", taken, filled["fdb"] + filled["neighbours"])

            runs = self.options.runs if size <= 100_000 else self.options.slow_runs
            self.take_turns(f"{size} entries", [("floor", floor, runs), ("weft", weft, runs),
                                                ("weft validate", validate, runs)])

    def start(self):
        self.take_turns("start", [("weft --version", lambda: self.results.add(
            "START", 1, "weft --version", self.lab.spend([self.weft, "--version"])), 4 * self.options.runs)])

    def agent(self):
        """Beside no peer: none does this."""
        entries, vteps = self.sizes.entries, self.sizes.vteps
        workload = workloads.Bulk(entries, vteps)
        folder = self.folder("agent", workloads.write_bulk, workload, workload, False)
        with self.lab.namespace() as namespace:
            with Agent(self.weft, namespace, f"{folder}/weft.yaml", folder) as agent:
                self.options.say("agent: healing")
                for taken in agent.heal(entries, vteps, self.sizes.heals):
                    self.results.add("AGENT", entries, "weft agent, one change", taken, entries)
                agent.expect_nothing_to_do()
                self.options.say("agent: idle")
                time.sleep(2)
                start, before = time.monotonic(), agent.seconds()
                time.sleep(self.sizes.idle_seconds)
                self.results.facts["idle"] = (agent.seconds() - before) / (time.monotonic() - start)
                self.options.say("agent: a storm of events")
                run(["ip", "-n", namespace.name, "link", "add", "storm0", "type", "vxlan", "id", "77", "dstport", "4799"])
                storm(namespace, folder, self.sizes.events // 2)
                before = agent.memory(self.sizes.settle_seconds)
                storm(namespace, folder, self.sizes.events // 2)
                self.results.facts["growth"] = agent.memory(self.sizes.settle_seconds) / before
                agent.expect_nothing_to_do()

    # MARK: instructions

    def instructions(self):
        """valgrind's count does not depend on what else the machine does: a change is judged by it."""
        # valgrind gives up at what DWARF it does not know.
        weft = os.path.join(self.options.work, "weft")
        self.lab.spend(["strip", "--strip-debug", "-o", weft, self.weft])
        for size in ([500, 2000] if self.options.quick else [10_000, 100_000]):
            bulk = workloads.Bulk(size, self.sizes.vteps)
            folder = self.folder(f"instructions-{size}", workloads.write_bulk, bulk, bulk, False)
            entries = 2 * size + self.sizes.vteps
            with self.lab.namespace() as namespace:
                for name, arguments, statuses in (
                    ("libyaml events in C", [f"{self.options.programs}/events", f"{folder}/weft.yaml"], (0,)),
                    ("weft validate", [weft, "validate", f"{folder}/weft.yaml"], (0,)),
                    ("weft diff, nothing there",
                     [weft, "diff", f"{folder}/weft.yaml", "--netns", namespace.name], (2,)),
                ):
                    self.options.say(f"counting instructions: {name}, {size}")
                    count = self.count_instructions(arguments, statuses)
                    self.results.instructions.append(
                        {"program": name, "size": size, "instructions": count, "per_entry": count / entries})

    def count_instructions(self, command, statuses):
        path = os.path.join(self.options.work, "callgrind")
        # Swift's hashes differ from run to run otherwise, and with them the way through its tables.
        environment = os.environ | {"SWIFT_DETERMINISTIC_HASHING": "1"}
        self.lab.spend(["valgrind", "--tool=callgrind", f"--callgrind-out-file={path}", *command], statuses=statuses,
                       env=environment)
        with open(path) as file:
            totals = [line.split() for line in file if line.startswith(("totals:", "summary:"))]
        if not totals:
            raise Failure("valgrind has counted nothing")
        return int(totals[-1][1])
