import ArgumentParser
import Documents
import KernelState
import Netlink

struct Show: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Write what weft owns as a document.",
    discussion: "Needs no privilege. `weft show > host.yaml; weft diff host.yaml` finds nothing to do.")

  @OptionGroup var namespace: NamespaceOption

  @Flag(help: "Every link that a document can describe, not only weft's own.")
  var all = false

  func run() throws {
    let socket = try namespace.open()
    do throws(NetlinkError) {
      let state = try HostObserver(socket).observe(ObservationScope(all ? .all : .owned))
      Console.print(DocumentWriter.write(state, showsAll: all))
    } catch {
      throw Console.fail(error)
    }
  }
}
