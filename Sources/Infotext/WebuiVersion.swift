import Settings

/// The version of the webui that wrote an infotext, such as `v1.7.0-225-gabcdef0`: 225 commits after 1.7.0.
struct WebuiVersion: Comparable {
  private let numbers: [Int]
  private let commits: Int

  /// Creates the version of a release, or of a commit after it.
  init(_ major: Int, _ minor: Int, _ patch: Int, commits: Int = 0) {
    numbers = [major, minor, patch]
    self.commits = commits
  }

  /// Reads the value of `Version`; nil for versions of other programs, such as forks of the webui.
  init?(_ text: String) {
    var parts = text.split(separator: "-", omittingEmptySubsequences: false)[...]
    guard var release = parts.popFirst() else { return nil }
    if release.first == "v" { release.removeFirst() }
    let numbers = release.split(separator: ".", omittingEmptySubsequences: false).map { Int($0) }
    guard (1...3).contains(numbers.count), numbers.allSatisfy({ $0 ?? -1 >= 0 }) else { return nil }
    self.numbers = (numbers.compactMap { $0 } + [0, 0]).prefix(3).map { $0 }
    guard let count = parts.popFirst() else {
      commits = 0
      return
    }
    guard let commits = Int(count), commits >= 0 else { return nil }
    self.commits = commits
  }

  static func < (a: WebuiVersion, b: WebuiVersion) -> Bool {
    (a.numbers + [a.commits]).lexicographicallyPrecedes(b.numbers + [b.commits])
  }
}
