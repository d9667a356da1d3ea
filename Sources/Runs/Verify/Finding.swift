import JSON
import Text

/// One thing in a run folder that is not as it should be.
public struct Finding: Hashable, Sendable {
  /// What is wrong; the raw value is the one of `verify --json`.
  public enum Kind: String, Sendable {
    /// An image of the journal is missing.
    case missing
    /// The file is longer or shorter than what was written.
    case size
    /// The file holds other bytes than what was written.
    case digest
    /// The file's bytes are those that were written, but they are no whole PNG.
    case undecodable
    /// The pixels in the file are not those that the journal noted.
    case pixels
    /// The text in the file is not the one that the journal noted.
    case infotext
    /// The file cannot be read.
    case unreadable
    /// What the identity is made of, as the journal has it, results in another id.
    case identity
    /// The image's text has other settings than the job in the plan.
    case otherJob = "other_job"
    /// An image that no job made.
    case orphan
    /// A file that was on its way when its process ended.
    case leftover
    /// A contact sheet, a thumbnail or the page that is not whole, or a thumbnail of no image.
    case derived
    /// The journal ends in the middle of a line.
    case tornLine = "torn_line"
    /// A line of the journal that cannot be read.
    case damagedLine = "damaged_line"
    /// A line that the journal has twice, or a file that two images claim.
    case duplicate
    /// The manifest is not what plan and journal result in.
    case manifest
    /// The plan cannot be read.
    case plan
  }

  /// What is wrong.
  public var kind: Kind
  /// The file, relative to the run folder.
  public var file: String
  /// The index of the job in the plan, if the finding is about one.
  public var index: Int?
  /// The whole identity of the image, if the finding is about one.
  public var id: String?
  /// What was found, and what was expected.
  public var problem: String
  /// What to do, or what was done.
  public var remedy: String
  /// Whether what was wrong has been put right.
  public var isRepaired = false

  /// One line: the file, what is wrong with it, and what to do.
  public var text: String {
    let job = index.map { " (job \($0))" } ?? ""
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

  /// Whether the image has to be made again.
  var isOfImage: Bool {
    switch kind {
    case .missing, .size, .digest, .undecodable, .pixels, .infotext, .unreadable, .identity, .otherJob: true
    case .orphan, .leftover, .derived, .tornLine, .damagedLine, .duplicate, .manifest, .plan: false
    }
  }
}
