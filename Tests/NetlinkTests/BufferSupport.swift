import Glibc

/// Memory whose end is the end of a page, with a page behind it that nobody may touch: one byte read
/// too many ends the program.
final class GuardedBuffer {
  private let start: UnsafeMutableRawPointer
  private let mapped: Int
  let capacity: Int

  init(pages: Int = 4) {
    let page = Int(getpagesize())
    capacity = pages * page
    mapped = capacity + 2 * page
    let flags = MAP_PRIVATE | MAP_ANONYMOUS
    guard let memory = mmap(nil, mapped, PROT_NONE, flags, -1, 0), memory != MAP_FAILED else {
      fatalError("mmap")
    }
    start = memory + page
    guard mprotect(start, capacity, PROT_READ | PROT_WRITE) == 0 else { fatalError("mprotect") }
  }

  deinit { munmap(start - Int(getpagesize()), mapped) }

  /// The bytes, placed so that the last of them is the last that can be read.
  func place(_ bytes: [UInt8]) -> UnsafeRawBufferPointer {
    precondition(bytes.count <= capacity)
    let place = start + (capacity - bytes.count)
    bytes.withUnsafeBytes { source in
      if let base = source.baseAddress { place.copyMemory(from: base, byteCount: source.count) }
    }
    return UnsafeRawBufferPointer(start: place, count: bytes.count)
  }
}

/// Numbers that are the same in every run (SplitMix64).
struct Seeded: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// Bytes as they are in memory on this machine.
struct ByteBuilder {
  private(set) var bytes: [UInt8] = []

  mutating func put(_ value: some BitwiseCopyable) {
    withUnsafeBytes(of: value) { bytes += Array($0) }
  }

  mutating func put(raw: some Sequence<UInt8>) { bytes += Array(raw) }

  mutating func pad(to alignment: Int = 4) {
    while bytes.count % alignment != 0 { bytes.append(0) }
  }

  /// An attribute, with padding.
  mutating func attribute(_ type: UInt16, _ payload: [UInt8], length: UInt16? = nil) {
    put(length ?? UInt16(payload.count + 4))
    put(type)
    put(raw: payload)
    pad()
  }
}
