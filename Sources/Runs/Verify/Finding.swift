import JSON
import Text

/// One thing in a run folder that is not as it should be.
public struct Finding: Hashable, Sendable {
  /// What is wrong; the raw value is the one of `verify --json`.
  public enum Kind: String, Sendable {
    /// The image that the journal tells of is not there.
    case missing
    /// The file is longer or shorter than what was written.
    case size
    /// The file holds other bytes than what was written.
    case digest
    /// The file's bytes are those that were written, but they are no whole PNG.
    case undecodable
    /// The picture in the file is another than the journal says.
    case pixels
    /// The text in the file is another than the journal says.
    case infotext
    /// The file cannot be read.
    case unreadable
    /// An image that no job made.
    case orphan
    /// A file that was on its way when its process ended.
    case leftover
    /// A contact sheet, a thumbnail or the page that is not whole, or a thumbnail of no image.
    case derived
    /// The journal ends in the middle of a line.
    case tornLine = "torn_line"
    /// A line of the journal that says nothing.
    case damagedLine = "damaged_line"
    /// A line of the journal that stands there twice, or a file that two pictures claim.
    case duplicate
    /// The manifest is not what plan and journal come to.
    case manifest
    /// The plan cannot be read.
    case plan
  }

  /// What is wrong.
  public var kind: Kind
  /// The file, relative to the run folder.
  public var file: String
  /// The job's place in the plan, where one of its jobs is concerned.
  public var index: Int?
  /// The whole identity of the picture, where one is concerned.
  public var id: String?
  /// What was found, and what was expected.
  public var problem: String
  /// What to do, or what was done.
  public var remedy: String
  /// Whether what was wrong has been put right.
  public var isRepaired = false

  /// One line: the file, what is wrong with it, and what to do.
  public var text: String {
    let job = index.map { " (job \($0.padded(to: 5)))" } ?? ""
    return "\(file)\(job): \(problem); \(remedy)"
  }

  /// An object for programs.
  public var json: JSONValue {
    [
      "kind": .string(kind.rawValue), "file": .string(file), "index": index.map { .integer(Int64($0)) } ?? .null,
      "id": id.map { .string($0) } ?? .null, "problem": .string(problem), "remedy": .string(remedy),
      "repaired": .bool(isRepaired),
    ]
  }

  /// Whether the picture has to be made again.
  var isOfImage: Bool {
    switch kind {
    case .missing, .size, .digest, .undecodable, .pixels, .infotext, .unreadable: true
    case .orphan, .leftover, .derived, .tornLine, .damagedLine, .duplicate, .manifest, .plan: false
    }
  }
}
