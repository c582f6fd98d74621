import Testing

@Suite struct SmokeTests {
  @Test func appliesAnExample() throws {
    let host = try TestNamespace()
    try host.addVeth("eth0")
    let path = packageRoot.appendingPathComponent("Examples/two-networks.yaml").path
    let result = try host.weft("apply", path)
    #expect(result.status == 0, "\(result.error)")
    #expect(try host.weft("diff", path).status == 0)
  }
}
