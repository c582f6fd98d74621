import Applying
import Foundation
import KernelState
import Netlink
import OverlayModel
import Planning
import Testing

/// Confirmation, rollback, history and stored plans, each with the command itself.
@Suite struct SafetyTests {
  private let host: TestNamespace
  private let folder: TemporaryFolder

  init() throws {
    host = try TestNamespace("safe")
    folder = try TemporaryFolder()
    try host.addVeth("eth0")
    try host.apply(Self.before)
  }

  private static let before = """
    weft: 1
    vxlans:
      vx0: {vni: 100, local: 192.0.2.11, flood: [192.0.2.12], fdb: {"02:00:00:00:00:01": 192.0.2.12}}
    bridges:
      br0:
        mac: 02:00:00:00:00:ff
        addresses: [10.0.0.1/24]
        ports: {vx0: {learning: false}}
        neighbours: {10.0.0.2: "02:00:00:00:00:01"}
    """

  /// A device made anew, entries, a neighbour, an address and a new device.
  private static let after = """
    weft: 1
    vxlans:
      vx0: {vni: 101, local: 192.0.2.11, flood: [192.0.2.13], fdb: {"02:00:00:00:00:01": 192.0.2.13}}
      vx1: {vni: 200, local: 192.0.2.11}
    bridges:
      br0:
        mac: 02:00:00:00:00:ff
        addresses: [10.0.0.9/24]
        ports: {vx0: {learning: false}, eth0: {}}
        neighbours: {10.0.0.3: "02:00:00:00:00:01"}
    """

  // MARK: Confirmation

  /// Starts `weft apply --confirm` and waits until it waits.
  private func startConfirming(_ options: String...) throws -> (process: BackgroundProcess, pid: pid_t) {
    let path = try folder.write(Self.after)
    let process = try BackgroundProcess(
      in: host, ["env", "WEFT_RUN_DIR=\(host.runFolder)", WeftCommand.path, "apply", path] + options)
    try poll("\(process.error)") { process.error.contains("done and verified") || !process.isRunning }
    try #require(process.isRunning, "\(process.error)")
    let names = try FileManager.default.contentsOfDirectory(atPath: host.runFolder)
    let lock = try #require(names.first { $0.hasSuffix(".lock") })
    let text = try String(contentsOfFile: "\(host.runFolder)/\(lock)", encoding: .utf8)
    let pid = try #require(text.split(separator: " ").dropFirst().first.flatMap { pid_t($0) }, "\(text)")
    return (process, pid)
  }

  private func expectRolledBack(
    _ result: CommandResult, _ before: Set<String>, because reason: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    #expect(result.status == 1, sourceLocation: sourceLocation)
    #expect(
      result.error.hasSuffix(
        "weft: error: \(reason); what had been done was undone; the host is as it was before\n"),
      "\(result.error)", sourceLocation: sourceLocation)
    expectSame(try host.snapshot(), before, sourceLocation: sourceLocation)
    #expect(try host.weft("status").status == 0, sourceLocation: sourceLocation)
  }

  @Test(arguments: [(SIGHUP, "SIGHUP"), (SIGINT, "SIGINT"), (SIGTERM, "SIGTERM")])
  func aSignalRollsBack(_ number: Int32, _ name: String) throws {
    let before = try host.snapshot()
    let (process, pid) = try startConfirming("--confirm", "60s")
    #expect(try host.snapshot() != before)
    kill(pid, number)
    try expectRolledBack(process.result(), before, because: "after \(name)")
  }

  @Test func timeRollsBack() throws {
    let before = try host.snapshot()
    let result = try host.weft(["apply", try folder.write(Self.after), "--confirm", "1s"])
    try expectRolledBack(result, before, because: "nobody confirmed it within 1 s")
  }

  @Test func aFailingCheckRollsBack() throws {
    let before = try host.snapshot()
    let path = try folder.write(Self.after)
    try expectRolledBack(
      try host.weft(["apply", path, "--confirm-check", "exit 3"]), before, because: "`exit 3` exited with 3")
    try expectRolledBack(
      try host.weft(["apply", path, "--confirm-check", "sleep 30", "--confirm", "1s"]), before,
      because: "`sleep 30` did not end within 1 s")
  }

  @Test func aCheckKeeps() throws {
    let path = try folder.write(Self.after)
    // It sees the change, and what it says is no output of weft's.
    let check = "ip -n \(host.name) link show vx1"
    let result = try host.weft(["apply", path, "--confirm-check", check])
    #expect(result.status == 0 && result.output.hasSuffix("Done and verified.\n"), "\(result.error)")
    #expect(!result.output.contains("mtu") && result.error.contains("mtu"))
    #expect(try host.weft("diff", path).status == 0)
  }

  @Test func anotherSessionKeeps() throws {
    let (process, _) = try startConfirming("--confirm", "60s")
    let diff = try host.weft("diff", folder.path("overlay.yaml"))
    #expect(diff.status == 0 && diff.error.contains("waits for `weft confirm`"), "\(diff.error)")
    #expect(try host.weft("status").output.contains("waits to be confirmed"))
    #expect(try host.weft("confirm").output.hasPrefix("Confirmed: weft apply, pid "))
    #expect(process.result().status == 0)
    #expect(try host.weft("diff", folder.path("overlay.yaml")).status == 0)
    #expect(try host.weft("confirm").error == "weft: error: no change waits to be confirmed\n")
    #expect(try host.weft("history").output.split(separator: "\n").count == 2)
  }

  /// On a terminal: Enter keeps, hanging up rolls back.
  @Test(arguments: [true, false]) func theTerminalDecides(_ keeps: Bool) throws {
    let before = try host.snapshot()
    let path = try folder.write(Self.after)
    let script = """
      import os, pty, sys
      pid, terminal = pty.fork()
      if pid == 0:
          os.execv(sys.argv[2], sys.argv[2:])
      text = b""
      while b"Press Enter" not in text:
          text += os.read(terminal, 4096)
      if sys.argv[1] == "enter":
          os.write(terminal, b"\\n")
          try:
              while os.read(terminal, 4096): pass
          except OSError: pass
      else:
          os.close(terminal)
      status = os.waitpid(pid, 0)[1]
      sys.exit(os.waitstatus_to_exitcode(status))
      """
    let result = try run(
      [
        "python3", "-c", script, keeps ? "enter" : "hang", WeftCommand.path, "apply", path, "--confirm",
        "60s",
        "--netns", host.name,
      ],
      environment: ["WEFT_RUN_DIR": host.runFolder])
    #expect(result.status == (keeps ? 0 : 1), "\(result.output)\(result.error)")
    if keeps {
      #expect(try host.weft("diff", path).status == 0)
    } else {
      expectSame(try host.snapshot(), before)
    }
  }

  /// Nobody is there any more to roll back, but the next command knows.
  @Test(arguments: [true, false]) func aWaitThatIsKilledIsRemembered(_ keeps: Bool) throws {
    let before = try host.snapshot()
    let (process, pid) = try startConfirming("--confirm", "60s")
    kill(pid, SIGKILL)
    _ = process.result()
    let status = try host.weft("status")
    #expect(status.status == 1 && status.output.contains("was never confirmed"), "\(status.output)")
    if keeps {
      #expect(try host.weft("confirm").status == 0)
      #expect(try host.weft("diff", folder.path("overlay.yaml")).status == 0)
      #expect(try host.weft("history").output.split(separator: "\n").count == 2)
    } else {
      let back = try host.weft("rollback")
      #expect(back.status == 0 && back.output.hasSuffix("Rolled back and verified.\n"), "\(back.error)")
      expectSame(try host.snapshot(), before)
    }
    #expect(try host.weft("status").status == 0)
  }

  /// Ctrl-C in the middle of the work.
  @Test func aSignalInTheMiddleUndoes() throws {
    let before = try host.snapshot()
    let result = try host.weft(
      ["apply", try folder.write(Self.after)],
      environment: WeftCommand.fault("stop", at: 2))
    try expectRolledBack(result, before, because: "stopped by SIGTERM")
  }

  /// The kernel takes nothing any more in the middle of the work: what is left is said, and is not lost.
  @Test func whatCannotBeUndoneIsNamed() throws {
    let before = try host.snapshot()
    let path = try folder.write(Self.after)
    let result = try host.weft(
      ["apply", path],
      environment: WeftCommand.fault("break", at: 3))
    #expect(result.status == 1)
    for line in [
      "the kernel says: Operation not supported", "not all of it could be undone",
      "weft: error: to be as before, the host still needs:\n", "- vxlan vx1: vni 200",
      "+ vxlan vx0: vni 100, local 192.0.2.11", "+ fdb vx0 02:00:00:00:00:01: vtep 192.0.2.12\n",
      "weft: error: the journal is kept: `weft rollback` tries again\n",
    ] {
      #expect(result.error.contains(line), "\(line) in \(result.error)")
    }
    #expect(try host.snapshot() != before)
    #expect(try host.weft("status").status == 1)
    #expect(try host.weft("rollback").status == 0)
    expectSame(try host.snapshot(), before)
  }

  // MARK: History and rollback

  @Test func historyGoesBackAndForth() throws {
    let first = try host.snapshot()
    try host.apply(Self.after)
    let second = try host.snapshot()
    #expect(try host.weft("delete", "--yes").status == 0)
    let lines = try host.weft("history").output.split(separator: "\n")
    try #require(lines.count == 3, "\(lines)")
    #expect(lines[0].hasPrefix("1  20") && lines[0].contains("  root  weft apply <stdin>: 7 to create"))
    #expect(lines[2].hasPrefix("3  20") && lines[2].contains("weft delete: 0 to create"))
    #expect(try host.weft("history", "3").output.contains("- bridge br0"))

    let back = try host.weft("rollback", "--to", "2")
    #expect(back.status == 0 && back.output.contains("+ bridge br0"), "\(back.output)\(back.error)")
    expectSame(try host.snapshot(), second)
    #expect(try host.weft("rollback", "--to", "1").status == 0)
    expectSame(try host.snapshot(), first)
    // Going back is a change as well.
    #expect(try host.weft("rollback", "--to", "4").status == 0)
    expectSame(try host.snapshot(), second)
    #expect(try host.weft("rollback", "--to", "0").status == 0)
    #expect(try host.json("ip link").compactMap { $0["ifname"] as? String } == ["lo", "eth0p", "eth0"])

    let unknown = try host.weft("rollback", "--to", "99")
    #expect(unknown.status == 1)
    #expect(
      unknown.error
        == "weft: error: no change 99 to go back to: 0 to 6 can be gone back to; `weft history` lists them\n")
    #expect(try host.weft("rollback").output.hasPrefix("Nothing to roll back"))
    #expect(try host.weft("rollback", "--discard").output == "Nothing to forget.\n")
  }

  private func interrupt() throws -> String {
    let path = try folder.write(Self.after)
    let result = try host.weft(
      ["apply", path],
      environment: WeftCommand.fault("kill", at: 4))
    try #require(result.status == SIGKILL, "\(result.error)")
    return path
  }

  @Test func anInterruptedChangeCanBeForgotten() throws {
    _ = try interrupt()
    let between = try host.snapshot()
    #expect(try host.weft("rollback", "--discard").output == "Forgotten.\n")
    #expect(try host.weft("status").status == 0)
    expectSame(try host.snapshot(), between)
  }

  @Test(arguments: ["boot", "namespace"]) func aJournalOfElsewhereIsKnownAsSuch(_ what: String) throws {
    let path = try interrupt()
    let between = try host.snapshot()
    let name = try #require(
      try FileManager.default.contentsOfDirectory(atPath: host.runFolder).first { $0.hasSuffix(".journal") })
    let file = "\(host.runFolder)/\(name)"
    var text = try String(contentsOfFile: file, encoding: .utf8)
    if what == "boot" {
      text = text.replacing(/"boot":"[^"]*"/, with: #""boot":"another""#)
    } else {
      text = text.replacing(/"namespace":\d+/, with: #""namespace":1"#)
    }
    try text.write(toFile: file, atomically: true, encoding: .utf8)
    let back = try host.weft("rollback")
    #expect(back.status == 0)
    let reason = what == "boot" ? "before the last boot" : "a network namespace that is gone"
    #expect(back.error.contains("is of \(reason): there is nothing left to undo"), "\(back.error)")
    expectSame(try host.snapshot(), between)
    #expect(try host.weft("apply", path).status == 0)
  }

  @Test(arguments: ["", "{", "{\"version\":2}", "{\"version\":1}", "[]", "\u{0}"])
  func aBrokenJournalIsNoReasonToGuess(_ text: String) throws {
    let path = try interrupt()
    let before = try host.snapshot()
    let name = try #require(
      try FileManager.default.contentsOfDirectory(atPath: host.runFolder).first { $0.hasSuffix(".journal") })
    try text.write(toFile: "\(host.runFolder)/\(name)", atomically: true, encoding: .utf8)
    for command in [["apply", path], ["rollback"], ["status"]] {
      let result = try host.weft(command)
      #expect(result.status == 1, "\(command)")
      #expect(
        result.error.contains("cannot be read") && result.error.contains("--discard"), "\(result.error)")
    }
    expectSame(try host.snapshot(), before)
    #expect(try host.weft("rollback", "--discard").status == 0)
    #expect(try host.weft("apply", path).status == 0)
  }

  @Test func whatIsOnDiskIsRootsAlone() throws {
    _ = try interrupt()
    for name in try FileManager.default.contentsOfDirectory(atPath: host.runFolder) {
      let attributes = try FileManager.default.attributesOfItem(atPath: "\(host.runFolder)/\(name)")
      #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
    }
  }

  // MARK: Stored plans

  @Test func aStoredPlanIsAppliedAsItIs() throws {
    let path = try folder.write(Self.after)
    let file = folder.path("plan.json")
    let shown = try host.weft("diff", path, "--out", file)
    #expect(shown.status == 2)
    // Where nothing changed that matters, it is that plan.
    try ("# a comment\n" + Self.after).write(toFile: path, atomically: true, encoding: .utf8)
    try host.ip("link add other0 type bridge")
    let applied = try host.weft("apply", "--plan", file)
    #expect(
      applied.status == 0 && applied.output == shown.output + "Done and verified.\n", "\(applied.error)")
    #expect(try host.weft("diff", path).status == 0)
    let again = try host.weft("apply", "--plan", file)
    #expect(again.status == 0 && again.output == "Nothing to do.\n", "\(again.error)")
  }

  @Test func aStoredPlanIsRefusedWhenTheHostChanged() throws {
    let path = try folder.write(Self.after)
    let file = folder.path("plan.json")
    #expect(try host.weft("diff", path, "--out", file).status == 2)
    try host.bridge("fdb append 00:00:00:00:00:00 dev vx0 dst 192.0.2.77 self permanent")
    let before = try host.snapshot()
    let result = try host.weft("apply", "--plan", file)
    #expect(result.status == 1 && result.output.isEmpty)
    #expect(
      result.error == """
          to be done as well: delete flood vx0 192.0.2.77 from (vtep 192.0.2.77)
        weft: error: \(file): the host has changed since the plan was made, in a way that matters; nothing was changed: make the plan again with `weft diff --out`

        """, "\(result.error)")
    expectSame(try host.snapshot(), before)
  }

  @Test func aStoredPlanIsRefusedWhenTheDocumentsChanged() throws {
    let path = try folder.write(Self.after)
    let file = folder.path("plan.json")
    #expect(try host.weft("diff", path, "--out", file).status == 2)
    let before = try host.snapshot()
    for text in [Self.after.replacingOccurrences(of: "vni: 200", with: "vni: 201"), "weft: 2", nil] {
      if let text {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
      } else {
        try FileManager.default.removeItem(atPath: path)
      }
      let result = try host.weft("apply", "--plan", file)
      #expect(result.status == 1)
      #expect(
        result.error.contains("\(file): the documents have changed since the plan was made"),
        "\(result.error)")
    }
    expectSame(try host.snapshot(), before)
  }

  @Test(arguments: ["", "{}", "[1]", "{\"version\":7}", "{\"version\":1}", "weft: 1"])
  func whatIsNoPlanIsRefused(_ text: String) throws {
    let before = try host.snapshot()
    let file = try folder.write(text, "plan.json")
    let result = try host.weft("apply", "--plan", file)
    #expect(result.status == 65)
    #expect(result.error.hasPrefix("weft: error: \(file)"), "\(result.error)")
    expectSame(try host.snapshot(), before)
  }

  @Test func plansAndDocumentsExcludeEachOther() throws {
    let both = try host.weft("apply", "a.yaml", "--plan", "p.json")
    #expect(both.status == 64 && both.error.contains("--plan holds its documents"), "\(both.error)")
    let option = try host.weft("apply", "--plan", "p.json", "--adopt")
    #expect(option.status == 64 && option.error.contains("were decided when the plan was made"))
    #expect(try host.weft("apply").status == 64)
  }

  // MARK: Disruption

  @Test func moreDisruptionThanAllowedIsRefused() throws {
    let path = try folder.write(Self.after)
    let before = try host.snapshot()
    for (allowed, isEnough) in [("none", false), ("in-place", false), ("replace", false)] {
      let result = try host.weft("apply", path, "--max-disruption", allowed)
      #expect(result.status == (isEnough ? 0 : 1))
      #expect(
        result.error
          == "weft: error: the plan's disruption is `removes`, more than --max-disruption \(allowed) allows; nothing was changed\n"
      )
    }
    expectSame(try host.snapshot(), before)
    #expect(try host.weft("apply", path, "--max-disruption", "removes").status == 0)
    // Entries alone disturb nobody.
    let entries = Self.after.replacingOccurrences(of: "192.0.2.13", with: "192.0.2.14")
    #expect(try host.weft(["apply", "-", "--max-disruption", "none"], input: entries).status == 0)
  }

  // MARK: Privilege

  /// CAP_NET_ADMIN alone, as root and as nobody.
  @Test(arguments: [false, true]) func networkAdministrationIsEnough(_ asNobody: Bool) throws {
    let path = try folder.write(Self.after)
    try run(["chmod", "755", folder.url.path])
    let runFolder = folder.path("run")
    var words = ["setpriv", "--bounding-set", "-all,+net_admin", "--inh-caps", "-all,+net_admin"]
    if asNobody {
      // The capability lasts over the change of the user as an ambient one.
      words = [
        "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps", "-all,+net_admin",
        "--ambient-caps", "-all,+net_admin",
      ]
      try run(["install", "-d", "-o", "65534", runFolder])
    }
    let command = ["env", "WEFT_RUN_DIR=\(runFolder)"] + words + [WeftCommand.path]
    let applied = try host.run(command + ["apply", path])
    #expect(applied.status == 0, "\(applied.output)\(applied.error)")
    #expect(try host.run(command + ["diff", path]).status == 0)
    #expect(try host.run(command + ["history"]).output.contains(asNobody ? "nobody" : "root"))
    #expect(try host.run(command + ["rollback", "--to", "0"]).status == 0)
    #expect(try host.run(command + ["delete"]).status == 0)
  }

  @Test func lookingNeedsNoPrivilege() throws {
    let path = try folder.write(Self.after)
    try run(["chmod", "755", folder.url.path])
    let nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", WeftCommand.path]
    let diff = try host.run(nobody + ["diff", path])
    #expect(diff.status == 2 && diff.error.isEmpty, "\(diff.error)")
    let shown = try host.run(nobody + ["show"])
    #expect(shown.status == 0 && shown.output.contains("vx0"))
    #expect(try host.run(nobody + ["apply", path]).status == 77)
  }

  @Test func plantedLinksAreNotFollowed() throws {
    let victim = try folder.write("precious", "victim")
    let path = try folder.write(Self.after)
    let before = try host.snapshot()
    func expectRefusal(_ runFolder: String, _ reason: String) throws {
      let result = try host.weft(["apply", path], environment: ["WEFT_RUN_DIR": runFolder])
      #expect(result.status != 0 && result.error.contains(reason), "\(result.error)")
      #expect(try String(contentsOfFile: victim, encoding: .utf8) == "precious")
      expectSame(try host.snapshot(), before)
    }
    let real = folder.path("real")
    try run(["install", "-d", "-m", "755", real])
    let link = folder.path("link")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: real)
    try expectRefusal(link, "is not safe: it is not a folder, but a link or a file")
    let open = folder.path("open")
    try run(["install", "-d", "-m", "777", open])
    try expectRefusal(open, "is not safe: others can write to it")
    let theirs = folder.path("theirs")
    try run(["install", "-d", "-o", "65534", theirs])
    try expectRefusal(theirs, "is not safe: it belongs to user 65534")
    // A file that is a link, in a folder that is not.
    let inode = try host.namespace.identity()
    try FileManager.default.createSymbolicLink(
      atPath: "\(real)/netns-\(inode).lock", withDestinationPath: victim)
    try expectRefusal(real, "Too many levels of symbolic links")
    try FileManager.default.removeItem(atPath: "\(real)/netns-\(inode).lock")
    try FileManager.default.createSymbolicLink(
      atPath: "\(real)/netns-\(inode).journal", withDestinationPath: victim)
    try expectRefusal(real, "Too many levels of symbolic links")
    try FileManager.default.removeItem(atPath: "\(real)/netns-\(inode).journal")
    // The one that is written first is made anew, whatever stands there.
    try FileManager.default.createSymbolicLink(
      atPath: "\(real)/netns-\(inode).journal.new", withDestinationPath: victim)
    #expect(try host.weft(["apply", path], environment: ["WEFT_RUN_DIR": real]).status == 0)
    #expect(try String(contentsOfFile: victim, encoding: .utf8) == "precious")
  }

  @Test func whatOthersCanWriteIsTold() throws {
    let path = try folder.write(Self.before)
    func warning() throws -> String { try host.weft("apply", path).error }
    #expect(try warning().isEmpty)
    try run(["chmod", "666", path])
    #expect(
      try warning()
        == "weft: warning: \(path) is not root's alone: it can be written by everybody; whoever that is decides what is applied here\n"
    )
    try run(["chmod", "644", path])
    try run(["chown", "65534", path])
    #expect(try warning().contains("it belongs to nobody;"))
    try run(["chown", "0", path])
    try run(["chown", "65534", folder.url.path])
    #expect(try warning().contains("\(folder.url.path) belongs to nobody;"))
    try run(["chown", "0", folder.url.path])
    let plan = folder.path("plan.json")
    #expect(try host.weft(["diff", "-", "--out", plan], input: Self.after).status == 2)
    try run(["chmod", "622", plan])
    #expect(try host.weft("apply", "--plan", plan).error.contains("\(plan) is not root's alone"))
  }

  /// Nothing is sent if what would undo it cannot be written.
  @Test func noJournalNoChange() throws {
    let path = try folder.write(Self.after)
    let before = try host.snapshot()
    let small = folder.path("small")
    try run(["install", "-d", "-m", "755", small])
    let script = """
      mount -t tmpfs -o size=4k,mode=755 tmpfs "$1" && head -c 4096 /dev/zero >"$1/full"
      WEFT_RUN_DIR="$1" "$2" apply "$3"
      """
    let result = try run([
      "unshare", "-m", "ip", "netns", "exec", host.name, "sh", "-c", script, "sh", small, WeftCommand.path,
      path,
    ])
    #expect(result.status == 1)
    #expect(
      result.error.contains("No space left on device") && result.error.hasSuffix("; nothing was changed\n"),
      "\(result.error)")
    expectSame(try host.snapshot(), before)
  }
}
