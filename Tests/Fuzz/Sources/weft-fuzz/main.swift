import CFuzzer
import FuzzTargets

#if canImport(Glibc)
  import Glibc
#endif

/// The target's name is in FUZZ_TARGET; all arguments are libFuzzer's.
private let target = getenv("FUZZ_TARGET").flatMap { FuzzTarget(rawValue: String(cString: $0)) }

guard target != nil else {
  print("FUZZ_TARGET must be one of: \(FuzzTarget.allCases.map(\.rawValue).joined(separator: ", "))")
  exit(64)
}

private var count = CommandLine.argc
private var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
private let status = LLVMFuzzerRunDriver(&count, &arguments) { data, size in
  let name = getenv("FUZZ_TARGET").flatMap { FuzzTarget(rawValue: String(cString: $0)) }
  do {
    try name?.run(Array(UnsafeBufferPointer(start: data, count: size)))
  } catch {
    print("found: \(error)")
    abort()
  }
  return 0
}
exit(status)
