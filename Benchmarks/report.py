"""The figures: medians with their spread, ratios, and what they are meant to be."""
import dataclasses
import json
import platform
import statistics

# What the table names each workload.
TITLES = {
    "W1": "bulk, from nothing", "W2": "the same again", "W3": "some destinations changed",
    "HALF": "each second entry goes", "BACK": "and comes back",
    "W4": "tenants: device and bridge each", "GONE": "all of them go", "VNI": "VNIs on one device",
    "W5": "parse (processor time)", "W6": "fabric, one host of it", "W7": "growth and memory",
    "AGENT": "an agent heals one change", "START": "weft --version",
}
# The program that the others' ratio is to.
REFERENCES = {"W1": "floor", "W4": "floor", "VNI": "floor", "W5": "libyaml events in C",
              "W6": "libyaml events in C", "W7": "floor"}
BASE_MEMORY = 30 * 1024 * 1024


@dataclasses.dataclass
class Row:
    workload: str
    size: int
    program: str
    entries: int = 0
    taken: list = dataclasses.field(default_factory=list)

    def numbers(self, key):
        return [getattr(t, key) for t in self.taken]

    def median(self, key="seconds"):
        return statistics.median(self.numbers(key))

    def value(self, of=statistics.median):
        """What is compared: the time that passed, or for what only computes the processor's."""
        if self.workload in ("W5", "W6"):
            return of([t.user + t.system for t in self.taken])
        return of(self.numbers("seconds"))


class Results:
    def __init__(self):
        self.rows = []
        self.facts = {}
        self.instructions = []

    def add(self, workload, size, program, taken, entries=0):
        row = self.row(workload, size, program)
        if row is None:
            row = Row(workload, size, program, entries)
            self.rows.append(row)
        row.taken.append(taken)

    def row(self, workload, size, program):
        return next((r for r in self.rows if (r.workload, r.size, r.program) == (workload, size, program)), None)

    # MARK: aims

    def sizes(self, workload):
        return sorted({row.size for row in self.rows if row.workload == workload})

    def ratio(self, first, second, of=statistics.median):
        a, b = self.row(*first), self.row(*second)
        return a.value(of) / b.value(of) if a and b and b.value(of) else None

    def aims(self):
        """(text, figure, the same of the least, limit): met where the figure is at most the limit.

        What else the machine does lengthens a run and never shortens it, so the least of some runs is the better
        figure where there is much of that.
        """
        for text, first, second, limit in self.ratio_aims():
            figure = self.ratio(first, second)
            if figure is not None:
                yield text, figure, self.ratio(first, second, min), limit
        for text, figure, limit, *least in self.other_aims():
            if figure is not None:
                yield text, figure, least[0] if least else None, limit

    def ratio_aims(self):
        if self.sizes("W1"):
            size = max(self.sizes("W1"))
            weft = ("W1", size, "weft")
            yield "W1: weft to floor", weft, ("W1", size, "floor"), 1.6
            yield "W2: weft to W1", ("W2", size, "weft"), weft, 0.5
            yield "W3: weft to W1", ("W3", size, "weft"), weft, 0.55
        for size in self.sizes("W4"):
            yield f"W4, {size}: weft to floor", ("W4", size, "weft"), ("W4", size, "floor"), 1.2
        for workload in ("W1", "W2", "W4", "VNI"):
            for size in self.sizes(workload):
                for peer in ("ip+bridge -batch", "pyroute2", "ifstate", "ifupdown2"):
                    yield f"{workload}, {size}: weft to {peer}", (workload, size, "weft"), (workload, size, peer), 1.0
        for size in self.sizes("W5"):
            weft = ("W5", size, "weft validate")
            yield "W5: weft to libyaml", weft, ("W5", size, "libyaml events in C"), 2.0
            yield "W5: weft to PyYAML", weft, ("W5", size, "PyYAML CSafeLoader"), 1.0
        for size in self.sizes("W6"):
            yaml = ("W6", size, "weft mtu, yaml")
            yield "W6: reading CSV to YAML", ("W6", size, "weft mtu, csv"), yaml, 0.5
            yield "W6: reading JSON lines to YAML", ("W6", size, "weft mtu, ndjson"), yaml, 0.5

    def other_aims(self):
        """(text, figure or nil, limit), and the least where that is of use."""
        row = self.row("W2", max(self.sizes("W1"), default=0), "weft")
        if row:
            share = row.median("user") / (row.median("user") + row.median("system"))
            yield "W2: share of the processor's time that is not the kernel's", share, 0.5
        for size in self.sizes("VNI"):
            weft = self.row("VNI", size, "weft")
            yield f"VNI, {size}: seconds", weft.value(), 1.0, weft.value(min)
        yield "VNI: messages", self.facts.get("messages for the VNIs"), 99
        sizes = self.sizes("W7")
        rows = [row for row in (self.row("W7", size, "weft apply") for size in sizes) if row]
        for row in rows:
            bytes_each = (row.median("peak") * 1024 - BASE_MEMORY) / row.entries
            yield f"W7, {row.size}: bytes an entry beyond 30 MiB", bytes_each, 250
        for small, large in zip(rows[1:], rows[2:]):
            growth = (large.value() / large.entries) / (small.value() / small.entries)
            yield f"W7: time an entry, {large.size} to {small.size}", growth, 1.5
        for size in self.sizes("AGENT"):
            heals = sorted(self.row("AGENT", size, "weft agent, one change").numbers("seconds"))
            yield f"agent, {size}: milliseconds to heal, median", statistics.median(heals) * 1000, 10
            yield f"agent, {size}: milliseconds to heal, 99 of 100", heals[len(heals) * 99 // 100] * 1000, 100
            yield f"agent, {size}: percent of a processor, idle", self.facts["idle"] * 100, 0.1
            yield f"agent, {size}: memory after all events to before", self.facts["growth"], 1.05
        row = self.row("START", 1, "weft --version")
        if row:
            yield "weft --version: milliseconds", row.value() * 1000, 15, row.value(min) * 1000

    # MARK: text

    def text(self, quick=False):
        lines = []
        last = None
        titles = ("median s", "min", "max", "user s", "system s", "peak MB", "ratio", "of least")
        header = f"{chr(32) * 34} " + " ".join(f"{title:>8}" for title in titles) + " runs"
        for row in sorted(self.rows, key=lambda r: (list(TITLES).index(r.workload), r.size)):
            key = (row.workload, row.size)
            if key != last:
                name = f"{row.workload}: {TITLES[row.workload]}" + (f", {row.size:,}" if row.size > 1 else "")
                lines += ["", name, header]
                last = key
            lines.append(self.line(row))
        if self.rows and not quick:  # The aims are those of the full sizes.
            lines += ["", "Aims", f"{'':60} {'figure':>9} {'of least':>9} {'at most':>8}"]
            for text, figure, least, limit in self.aims():
                verdict = "met" if figure <= limit else "MISSED"
                of_least = "" if least is None else f"{least:.3g}"
                lines.append(f"  {text:58} {figure:9.3g} {of_least:>9} {limit:8.3g}  {verdict}")
        if self.instructions:
            lines += ["", "Instructions", f"{'':34} {'size':>9} {'millions':>10} {'an entry':>9}"]
        for count in self.instructions:
            millions = count["instructions"] / 1e6
            lines.append(f"  {count['program']:32} {count['size']:9,} {millions:10.1f} {count['per_entry']:9.0f}")
        return "\n".join(lines).lstrip("\n")

    def line(self, row):
        seconds = row.numbers("seconds")
        reference = (row.workload, row.size, REFERENCES.get(row.workload))
        ratios = [self.ratio((row.workload, row.size, row.program), reference, of) for of in (statistics.median, min)]
        texts = [f"{ratio:.2f}" if ratio else "" for ratio in ratios]
        return (f"  {row.program:32} {row.median():8.3f} {min(seconds):8.3f} {max(seconds):8.3f} "
                f"{row.median('user'):8.3f} {row.median('system'):8.3f} {row.median('peak') / 1024:8.1f} "
                f"{texts[0]:>8} {texts[1]:>8} {len(seconds):4}")

    # MARK: JSON

    def write(self, path, quick):
        rows = [{
            "workload": row.workload, "size": row.size, "program": row.program,
            **{key: {"median": row.median(key), "min": min(row.numbers(key)), "max": max(row.numbers(key))}
               for key in ("seconds", "user", "system", "peak")},
            "runs": len(row.taken),
        } for row in self.rows]
        aims = [{"aim": text, "figure": figure, "of_least": least, "at_most": limit, "met": figure <= limit}
                for text, figure, least, limit in self.aims() if not quick]
        with open(path, "w") as file:
            json.dump({"kernel": platform.release(), "quick": quick, "rows": rows, "aims": aims,
                       "instructions": self.instructions}, file, indent=1)
            file.write("\n")
