// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "weft",
  products: [
    .executable(name: "weft", targets: ["weft"]),
    // Netlink knows nothing of links or overlays and is of use to any program
    // that talks to the kernel; the others build on it in this order.
    .library(name: "Netlink", targets: ["Netlink"]),
    .library(name: "OverlayModel", targets: ["OverlayModel"]),
    .library(name: "Documents", targets: ["Documents"]),
    .library(name: "KernelState", targets: ["KernelState"]),
    .library(name: "Planning", targets: ["Planning"]),
    .library(name: "Policies", targets: ["Policies"]),
    .library(name: "Applying", targets: ["Applying"]),
    .library(name: "Agent", targets: ["Agent"]),
    // For the fuzzers alone, a package of their own.
    .library(name: "FuzzTargets", targets: ["FuzzTargets"]),
    // For the tests alone, which load it into the command: it has to be a file of its own.
    .library(name: "FaultInjection", type: .dynamic, targets: ["FaultInjection"]),
  ],
  traits: [
    // etcd as the controller of a fabric: `swift build --traits Etcd`. What it needs is neither fetched nor built without.
    .trait(name: "Etcd", description: "weft publish, and weft agent etcd://…"),
    .default(enabledTraits: []),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"),
    .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.0"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.81.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.30.0"),
  ],
  targets: [
    .systemLibrary(name: "CMnl", pkgConfig: "libmnl", providers: [.apt(["libmnl-dev"])]),
    .systemLibrary(name: "CMalloc"),
    .systemLibrary(
      name: "CNetlinkRoute", pkgConfig: "libnl-route-3.0",
      providers: [.apt(["libnl-route-3-dev", "libnl-3-dev"])]),
    .target(name: "Netlink", dependencies: ["CMnl"]),
    .target(name: "OverlayModel", dependencies: ["CNetlinkRoute"]),
    .target(
      name: "Documents",
      dependencies: ["OverlayModel", .product(name: "Yams", package: "Yams")]),
    .target(name: "KernelState", dependencies: ["Netlink", "OverlayModel", "CNetlinkRoute"]),
    .target(name: "Planning", dependencies: ["OverlayModel", "CNetlinkRoute"]),
    .target(name: "Policies", dependencies: ["Documents", "Planning"]),
    .target(name: "Applying", dependencies: ["KernelState", "Planning", "Netlink"]),
    .target(
      name: "Agent",
      dependencies: [
        "Applying", "CMalloc", "Documents", "KernelState", "Planning", "Policies", "Netlink",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
        .product(name: "FlyingSocks", package: "FlyingFox"),
      ]),
    // Empty without the trait of the same name.
    .target(
      name: "EtcdSource",
      dependencies: [
        "Agent", "Applying", "Documents", "Planning",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "AsyncHTTPClient", package: "async-http-client", condition: .when(traits: ["Etcd"])),
        .product(name: "NIOCore", package: "swift-nio", condition: .when(traits: ["Etcd"])),
        .product(name: "NIOPosix", package: "swift-nio", condition: .when(traits: ["Etcd"])),
        .product(name: "NIOSSL", package: "swift-nio-ssl", condition: .when(traits: ["Etcd"])),
      ]),
    .executableTarget(
      name: "weft",
      dependencies: [
        "EtcdSource", "Agent", "Applying", "Documents", "KernelState", "Planning", "Policies", "Netlink",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    // Random states and a model of the kernel, for the properties that the tests below check.
    .target(name: "RandomStates", dependencies: ["OverlayModel", "Planning"], path: "Tests/RandomStates"),
    .target(
      name: "FuzzTargets",
      dependencies: ["Applying", "Documents", "KernelState", "Planning", "Policies", "Netlink"],
      path: "Tests/FuzzTargets"),
    .testTarget(name: "FuzzTests", dependencies: ["FuzzTargets", "RandomStates"]),
    .target(name: "FaultInjection", path: "Tests/FaultInjection"),
    .testTarget(name: "NetlinkTests", dependencies: ["Netlink", "CMnl"]),
    .testTarget(name: "DocumentsTests", dependencies: ["Documents", "FuzzTargets", "RandomStates"]),
    .testTarget(name: "PlanningTests", dependencies: ["Planning", "Documents", "RandomStates"]),
    .testTarget(name: "PolicyTests", dependencies: ["Policies", "Documents", "Planning", "RandomStates"]),
    // Needs root: every test makes network namespaces of its own and works on the real kernel.
    .testTarget(
      name: "KernelTests",
      dependencies: [
        "Applying", "Documents", "KernelState", "Planning", "Netlink", "CNetlinkRoute",
        "EtcdSource", "RandomStates", "weft",
      ]),
  ],
  swiftLanguageModes: [.v6]
)
