/// What the weights of a prompt do; the raw value is the webui's name.
public enum EmphasisChoice: String, CaseIterable, Codable, Hashable, Sendable {
  /// Brackets are text.
  case none = "None"
  /// Brackets are read, and their weights dropped.
  case ignore = "Ignore"
  /// Encodings are multiplied by their weights, and the mean is brought back to what it was.
  case original = "Original"
  /// Encodings are multiplied by their weights.
  case noNorm = "No norm"
}

/// How the numbers of `[from:to:when]` are read; written as the webui's option `use_old_scheduling`, true or false.
public enum PromptTimelines: Codable, Hashable, Sendable {
  /// Numbers with a point are parts of the whole.
  case current
  /// Numbers below 1 are.
  case old

  /// Reads a boolean.
  public init(from decoder: any Decoder) throws {
    self = try decoder.singleValueContainer().decode(Bool.self) ? .old : .current
  }

  /// Writes a boolean.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(self == .old)
  }
}

extension ImageSettings {
  /// Whether some text has what emphasis could act on.
  package var emphasisMatters: Bool { emphasis != .original && hasAny(of: ["(", "["]) }

  /// Whether some text has what a timeline could act on.
  package var timelinesMatter: Bool { timelines != .current && hasAny(of: ["["]) }

  private func hasAny(of scalars: Set<Unicode.Scalar>) -> Bool {
    [prompt, negativePrompt, hires?.prompt ?? "", hires?.negativePrompt ?? ""].contains { text in
      text.unicodeScalars.contains { scalars.contains($0) }
    }
  }
}
