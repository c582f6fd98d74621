import OverlayModel

extension LinkState {
  /// Whether FDB entries of it that were read before mean the same now: that depends on the device they are of, and on
  /// how its bridge looks at them.
  package func readsEntries(like before: LinkState) -> Bool {
    before.index == self.index && before.kind == self.kind && before.bridge == self.bridge
      && before.specific == self.specific && before.base[.mac] == self.base[.mac]
      && before.tables.vnis == self.tables.vnis
  }
}
