# What the scripts share; sourced, not run.

# Says what is wrong and what to do about it, and ends.
die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

need_root() {
  [ "$(id -u)" -eq 0 ] || die "needs root, for network namespaces and for apt-get: run it with sudo"
}

# Sets SWIFT to a Swift 6.1 or newer. sudo drops the caller's PATH, so the usual places are tried, too.
need_swift() {
  local candidate version caller_home
  caller_home=$(getent passwd "${SUDO_USER:-root}" | cut -d: -f6)
  for candidate in "${SWIFT:-}" "$(command -v swift || true)" /opt/swift/usr/bin/swift /usr/local/swift/usr/bin/swift \
    "$caller_home/.local/share/swiftly/bin/swift" /usr/libexec/swift/bin/swift; do
    [ -n "$candidate" ] && [ -x "$candidate" ] || continue
    version=$("$candidate" --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
    [ -n "$version" ] || continue
    if [ "$(printf '%s\n6.1\n' "$version" | sort -V | head -n 1)" = 6.1 ]; then
      SWIFT=$candidate
      return
    fi
    die "needs Swift 6.1 or newer; $candidate is $version: see https://www.swift.org/install/linux/"
  done
  die "needs Swift 6.1 or newer, and finds none: see https://www.swift.org/install/linux/, or set SWIFT=/path/to/swift"
}

# Installs Debian packages that are not there yet. What it says is no part of what a script prints for others to use.
need_packages() {
  local package missing=()
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null || die "needs these Debian packages, and finds no apt-get: ${missing[*]}"
  echo "Installing ${missing[*]}" >&2
  apt-get update -qq || die "apt-get update failed: is the network there?"
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    die "apt-get could not install ${missing[*]}"
}

BUILD_PACKAGES="git pkg-config libmnl-dev libnl-3-dev libnl-route-3-dev"

# Builds weft as it is released, in the current directory, and sets RELEASE to the command's path. What is measured,
# packaged and tested is the same. No path of this machine gets into it, so that two builds of one source are one file
# (in folders whose names are equally long: Swift 6.2 notes the length of a name that it maps).
build_release() {
  local place=/usr/src/weft options
  options=(-c release --product weft --static-swift-stdlib
    -Xlinker -z -Xlinker relro -Xlinker -z -Xlinker now -Xlinker --build-id=none
    -Xcc "-ffile-prefix-map=$PWD=$place" -Xswiftc -file-prefix-map -Xswiftc "$PWD=$place")
  # Foundation's own archive makes the linker warn of a mktemp that nothing calls.
  "$SWIFT" build "${options[@]}" 2>&1 | { grep -vE 'mktemp|^\[' || true; } >&2 || die "the build failed; see above"
  # shellcheck disable=SC2034
  RELEASE=$("$SWIFT" build "${options[@]}" --show-bin-path)/weft
}
