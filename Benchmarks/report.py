"""The figures: medians with their spread, ratios, and what they are meant to be."""
import dataclasses
import json
import platform

from lab import median

# What the table names each workload.
TITLES = {
    "W1": "bulk, from nothing", "W2": "the same again", "W3": "some destinations changed",
    "W4": "tenants: device and bridge each", "VNI": "VNIs on one device", "W5": "parse (processor time)",
    "W6": "fabric, one host of it", "W7": "growth and memory", "START": "weft --version",
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
        return median(self.numbers(key))

    @property
    def processor(self):
        return median([t.user + t.system for t in self.taken])

    @property
    def value(self):
        """What is compared: the time that passed, or for what only computes the processor's."""
        return self.processor if self.workload in ("W5", "W6") else self.median()


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

    def value(self, workload, size, program):
        row = self.row(workload, size, program)
        return row.value if row else None

    # MARK: aims

    def sizes(self, workload):
        return sorted({row.size for row in self.rows if row.workload == workload})

    def ratio(self, first, second):
        a, b = self.value(*first), self.value(*second)
        return a / b if a is not None and b else None

    def aims(self):
        """(text, figure, limit): met where the figure is at most the limit."""
        for size in self.sizes("W1"):
            weft = ("W1", size, "weft")
            if size == max(self.sizes("W1")):
                yield "W1: weft to floor", self.ratio(weft, ("W1", size, "floor")), 1.6
                yield "W2: weft to W1", self.ratio(("W2", size, "weft"), weft), 0.5
                row = self.row("W2", size, "weft")
                if row:
                    yield "W2: share of user time", row.median("user") / row.median(), 0.5
                yield "W3: weft to W1", self.ratio(("W3", size, "weft"), weft), 0.55
        for size in self.sizes("W4"):
            yield f"W4, {size}: weft to floor", self.ratio(("W4", size, "weft"), ("W4", size, "floor")), 1.2
        for workload in ("W1", "W2", "W4", "VNI"):
            for size in self.sizes(workload):
                for peer in ("ip+bridge -batch", "pyroute2", "ifstate", "ifupdown2"):
                    text = f"{workload}, {size}: weft to {peer}"
                    yield text, self.ratio((workload, size, "weft"), (workload, size, peer)), 1.0
        for size in self.sizes("VNI"):
            row = self.row("VNI", size, "weft")
            yield f"VNI, {size}: seconds", row.value, 1.0
        if "messages for the VNIs" in self.facts:
            yield "VNI: messages", self.facts["messages for the VNIs"], 99
        for size in self.sizes("W5"):
            weft = ("W5", size, "weft validate")
            yield "W5: weft to libyaml", self.ratio(weft, ("W5", size, "libyaml events in C")), 2.0
            yield "W5: weft to PyYAML", self.ratio(weft, ("W5", size, "PyYAML CSafeLoader")), 1.0
        for size in self.sizes("W6"):
            yaml = ("W6", size, "weft validate, yaml")
            yield "W6: reading CSV to YAML", self.ratio(("W6", size, "weft validate, csv"), yaml), 0.5
            yield "W6: reading NDJSON to YAML", self.ratio(("W6", size, "weft validate, ndjson"), yaml), 0.5
        yield from self.memory_aims()
        for row in self.rows:
            if row.workload == "START":
                yield "weft --version: milliseconds", row.value * 1000, 15

    def memory_aims(self):
        for size in self.sizes("W7"):
            row = self.row("W7", size, "weft apply")
            if row and row.entries:
                bytes_each = (row.median("peak") * 1024 - BASE_MEMORY) / row.entries
                yield f"W7, {size}: bytes an entry beyond 30 MiB", bytes_each, 250
        sizes = self.sizes("W7")
        for small, large in zip(sizes[1:], sizes[2:]):
            first, second = self.row("W7", small, "weft apply"), self.row("W7", large, "weft apply")
            if first and second:
                growth = (second.value / second.entries) / (first.value / first.entries)
                yield f"W7: time an entry, {large} to {small}", growth, 1.5

    # MARK: text

    def text(self, quick=False):
        lines = []
        last = None
        header = f"{'':34} {'median s':>9} {'min':>8} {'max':>8} {'user s':>8} {'system s':>8} {'peak MB':>8} {'ratio':>7} runs"
        for row in sorted(self.rows, key=lambda r: (list(TITLES).index(r.workload), r.size)):
            key = (row.workload, row.size)
            if key != last:
                name = f"{row.workload}: {TITLES[row.workload]}" + (f", {row.size:,}" if row.size > 1 else "")
                lines += ["", name, header]
                last = key
            lines.append(self.line(row))
        if self.rows and not quick:  # The aims are those of the full sizes.
            lines += ["", "Aims", f"{'':48} {'figure':>9} {'at most':>8}"]
            for text, figure, limit in self.aims():
                if figure is not None:
                    verdict = "met" if figure <= limit else "MISSED"
                    lines.append(f"  {text:46} {figure:9.3g} {limit:8.3g}  {verdict}")
        if self.instructions:
            lines += ["", "Instructions", f"{'':34} {'size':>9} {'millions':>10} {'an entry':>9}"]
        for count in self.instructions:
            millions = count["instructions"] / 1e6
            lines.append(f"  {count['program']:32} {count['size']:9,} {millions:10.1f} {count['per_entry']:9.0f}")
        return "\n".join(lines).lstrip("\n")

    def line(self, row):
        seconds = row.numbers("seconds")
        ratio = self.ratio((row.workload, row.size, row.program),
                           (row.workload, row.size, REFERENCES.get(row.workload)))
        return (f"  {row.program:32} {row.median():9.3f} {min(seconds):8.3f} {max(seconds):8.3f} "
                f"{row.median('user'):8.3f} {row.median('system'):8.3f} {row.median('peak') / 1024:8.1f} "
                f"{f'{ratio:7.2f}' if ratio else '':>7} {len(seconds):4}")

    # MARK: JSON

    def write(self, path, quick):
        rows = [{
            "workload": row.workload, "size": row.size, "program": row.program,
            **{key: {"median": row.median(key), "min": min(row.numbers(key)), "max": max(row.numbers(key))}
               for key in ("seconds", "user", "system", "peak")},
            "runs": len(row.taken),
        } for row in self.rows]
        aims = [{"aim": text, "figure": figure, "at_most": limit, "met": figure <= limit}
                for text, figure, limit in self.aims() if figure is not None and not quick]
        with open(path, "w") as file:
            json.dump({"kernel": platform.release(), "quick": quick, "rows": rows, "aims": aims,
                       "instructions": self.instructions}, file, indent=1)
            file.write("\n")
