import OverlayModel

extension LinkState {
  /// Whether FDB entries of it that were read before mean the same now: that depends on the device they are of, and on
  /// how its bridge looks at them.
  package func readsEntries(like before: LinkState) -> Bool {
    before.index == index && before.kind == kind && before.bridge == bridge && before.specific == specific
      && before.base[.mac] == base[.mac] && before.tables.vnis == tables.vnis
  }
}
