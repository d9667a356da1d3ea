import JSON
import Text

/// One thing that is wrong in a run folder.
public struct Finding: Hashable, Sendable {
  /// What is wrong; the raw value is used by `verify --json`.
  public enum Kind: String, Sendable {
    /// An image in the journal is missing.
    case missing
    /// An image of a night was deleted since the last run.
    case deleted
    /// The file is longer or shorter than when it was written.
    case size
    /// The file has other bytes than were written.
    case digest
    /// The file has the bytes that were written, but they are not a complete PNG.
    case undecodable
    /// The file has different pixels than the journal records.
    case pixels
    /// The file has a different infotext than the journal records.
    case infotext
    /// The file cannot be read.
    case unreadable
    /// The journal's description of how the image was made gives another id.
    case identity
    /// The image's text has other settings than the job in the plan.
    case otherJob = "other_job"
    /// An image that no job made.
    case orphan
    /// A temporary file of a process that was killed.
    case leftover
    /// An incomplete contact sheet, thumbnail or page, or a thumbnail without an image.
    case derived
    /// The journal ends in the middle of a line.
    case tornLine = "torn_line"
    /// A line of the journal that cannot be read.
    case damagedLine = "damaged_line"
    /// A line that is in the journal twice, or a file that two images claim.
    case duplicate
    /// The manifest does not agree with plan and journal.
    case manifest
    /// The plan cannot be read.
    case plan
    /// `recipe.yaml` is not the recipe that the plan was made from.
    case recipe
    /// `picks.json` cannot be read.
    case picks
    /// An answer to a request is not the one that was written.
    case response
    /// An announcement in the outbox cannot be read.
    case announcement
    /// The next run ends because of it.
    case obstacle
  }

  /// What is wrong.
  public var kind: Kind
  /// The file, relative to the run folder.
  public var file: String
  /// The index of the job in the plan, if the finding is about one.
  public var index: Int?
  /// The complete identity of the image, if the finding is about one.
  public var id: String?
  /// What was found, and what was expected.
  public var problem: String
  /// What to do, or what was done.
  public var remedy: String
  /// Whether it was repaired.
  public var isRepaired = false

  /// Something that is wrong with a file.
  ///
  /// - Parameters:
  ///   - kind: What is wrong.
  ///   - file: The file, relative to the run folder.
  ///   - index: The index of the job in the plan, if it is about one.
  ///   - id: The identity of the image, if it is about one.
  ///   - problem: What was found, and what was expected.
  ///   - remedy: What to do.
  public init(kind: Kind, file: String, index: Int? = nil, id: String? = nil, problem: String, remedy: String) {
    (self.kind, self.file, self.index, self.id) = (kind, file, index, id)
    (self.problem, self.remedy) = (problem, remedy)
  }

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

  /// Whether the image must be made again.
  var isOfImage: Bool {
    switch kind {
    case .missing, .deleted, .size, .digest, .undecodable, .pixels, .infotext, .unreadable, .identity, .otherJob:
      true
    case .orphan, .leftover, .derived, .tornLine, .damagedLine, .duplicate, .manifest, .plan, .recipe, .picks,
      .response, .announcement, .obstacle:
      false
    }
  }
}

extension Finding {
  /// A finding about something that stops the next run.
  init(obstacle: RunError, in folder: RunFolder) {
    let (path, problem, remedy) =
      switch obstacle {
      case .obstructed(let path, let isFolder):
        (
          path, "is a \(isFolder ? "folder" : "file"), where a run has a \(isFolder ? "file" : "folder")",
          "move it away"
        )
      case .damaged(let path, _):
        (path, "does not contain seeds", "the next run ends here: put it back, or remove it to draw new seeds")
      default: (folder.path, obstacle.description, "the next run ends here")
      }
    self.init(
      kind: .obstacle, file: path.hasPrefix(folder.path + "/") ? String(path.dropFirst(folder.path.count + 1)) : path,
      problem: problem, remedy: remedy)
  }
}
