// swift-tools-version: 6.1
import PackageDescription

// A package of its own: libFuzzer wants every module built for it, which a plain build of weft must not pay for.
let package = Package(
  name: "weft-fuzz",
  dependencies: [.package(name: "weft", path: "../..")],
  targets: [
    .systemLibrary(name: "CFuzzer"),
    .executableTarget(
      name: "weft-fuzz", dependencies: ["CFuzzer", .product(name: "FuzzTargets", package: "weft")]),
  ],
  swiftLanguageModes: [.v6]
)
