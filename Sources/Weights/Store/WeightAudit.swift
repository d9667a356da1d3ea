import Text

/// A tensor that a network needs.
public struct ExpectedTensor: Hashable, Sendable {
  /// The name in code, relative to the network's root. It is the diffusers library's name.
  public var name: String
  /// The sizes in row-major order.
  public var shape: [Int]

  /// Creates an expected tensor.
  public init(_ name: String, _ shape: [Int]) {
    self.name = name
    self.shape = shape
  }
}

/// What is wrong with a model's set of tensors. Names are those in the file.
public struct WeightAudit: Hashable, Sendable {
  /// One tensor and what is wrong with it.
  public enum Finding: Hashable, Sendable {
    /// The network needs the tensor, but the file does not have it.
    case missing(name: String, shape: [Int])
    /// The file has the tensor with another shape than the network needs.
    case misshapen(name: String, found: [Int], expected: [Int])
    /// The tensor has a type of elements that cannot be weights.
    case elementType(name: String, found: String)
    /// The file has the tensor, but no known network reads it.
    case unread(name: String, shape: [Int])
  }

  /// The file or folder that was audited.
  public var path: String
  /// Missing tensors first, then misshapen, wrongly typed and unread ones, each group sorted by name.
  public var findings: [Finding]

  /// Whether there are no findings.
  public var isClean: Bool { findings.isEmpty }

  package init(path: String, findings: [Finding]) {
    self.path = path
    self.findings = findings.sorted { ($0.rank, $0.name) < ($1.rank, $1.name) }
  }

  /// Throws `WeightError.audit` unless the audit is clean.
  public func check() throws(WeightError) {
    if !isClean { throw .audit(self) }
  }

  /// The findings for which a condition holds.
  package func keeping(_ condition: (Finding) -> Bool) -> WeightAudit {
    WeightAudit(path: path, findings: findings.filter(condition))
  }

  /// The findings of both audits, with the path of this one.
  package func merged(with other: WeightAudit) -> WeightAudit {
    WeightAudit(path: path, findings: findings + other.findings)
  }
}

extension WeightAudit.Finding: CustomStringConvertible {
  /// The tensor's name in the file.
  public var name: String {
    switch self {
    case .missing(let name, _), .misshapen(let name, _, _), .elementType(let name, _), .unread(let name, _): name
    }
  }

  fileprivate var rank: Int {
    switch self {
    case .missing: 0
    case .misshapen: 1
    case .elementType: 2
    case .unread: 3
    }
  }

  /// The finding on one line.
  public var description: String {
    switch self {
    case .missing(let name, let shape): "missing: \(name) \(shape)"
    case .misshapen(let name, let found, let expected): "wrong shape: \(name) is \(found), expected \(expected)"
    case .elementType(let name, let found):
      "wrong type: \(name.abridged) has \(found), which is not a supported type of weights"
    case .unread(let name, let shape): "not read by anything: \(name.abridged) \(shape)"
    }
  }
}

extension WeightAudit: CustomStringConvertible {
  /// A summary and the first findings, one on each line.
  public var description: String {
    let limit = 20
    guard !isClean else { return "\(path): all tensors are as expected" }
    func count(_ rank: Int, _ what: String) -> String? {
      let count = findings.count { $0.rank == rank }
      return count == 0 ? nil : "\(count) \(what)"
    }
    let summary = [
      count(0, "missing"), count(1, "of a wrong shape"), count(2, "of a wrong type"), count(3, "not read by anything"),
    ].compactMap { $0 }.joined(separator: ", ")
    var lines = ["\(path): the tensors do not match any model that this version runs: \(summary)"]
    lines += findings.prefix(limit).map { "  \($0)" }
    if findings.count > limit { lines.append("  ... and \(findings.count - limit) more") }
    return lines.joined(separator: "\n")
  }
}
