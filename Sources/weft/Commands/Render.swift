import ArgumentParser
import Documents

struct Render: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "render",
    abstract: "Print the configuration of another program that fits a fabric document.",
    discussion: "Needs no privilege and no kernel.",
    subcommands: [RenderFRR.self])
}

struct RenderFRR: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "frr",
    abstract: "Print FRR's configuration for a host's networks with `control-plane: evpn`.",
    discussion: """
      One file for zebra and bgpd: the BGP sessions between VTEPs or with route reflectors, the VNIs, and the VRFs \
      with theirs. `bgp` of the fabric says who speaks with whom. What FRR has to know beside that, such as the \
      routing of the underlay, is not in it.

        weft render frr fabric.yaml --host vtep-1 >/etc/frr/frr.conf
        vtysh -C -f /etc/frr/frr.conf           FRR checks it
        vtysh -f /etc/frr/frr.conf              into running daemons

      The file goes by vtysh, as FRR's own service does it: zebra, given it with -f, would take `vni` lines for what \
      they are not. The devices that FRR fills come from `weft apply`.

      Exit status 65: the fabric has nothing for FRR on that host, or not what BGP needs.
      """)

  @OptionGroup var documents: DocumentArguments
  @OptionGroup var host: HostOption

  func validate() throws { try documents.requireFiles() }

  func run() throws {
    let parsed = try documents.parse()
    guard let name = host.name(parsed) else {
      Console.error("the documents describe no `fabric`, of which FRR could be told")
      throw ExitStatus.invalidDocument
    }
    let configuration = try DocumentArguments.reporting { () throws(DocumentFaults) in
      try parsed.frrConfiguration(host: name)
    }
    Console.report(configuration.notes, parsed.files)
    Console.print(configuration.text)
  }
}
