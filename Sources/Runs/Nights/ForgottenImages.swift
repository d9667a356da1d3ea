import Foundation
import JSON
import Settings
import Text

/// The images of a nightly series that are not made again: `forgotten.jsonl`, one line for each.
///
/// The file is replaced as a whole, so it is complete at any time.
struct ForgottenImages {
  /// Why an image is not made again.
  enum Reason: String {
    /// `sdbatch forget`.
    case forget
    /// The recipe's `keep`.
    case keep
    /// Somebody deleted the file.
    case deleted
  }

  /// One image.
  struct Entry: Hashable {
    var id: JobID
    /// Its night; nil if unknown.
    var night: LocalDate?
    /// Relative to the run folder; nil for a job that had no image.
    var file: String?
    /// Its files in other formats.
    var others: [String] = []
    var forgotten: Timestamp
    var reason: Reason
    /// Whether the file may not be in `trash/` yet.
    var isMoving = false

    /// All its files, including those that show the image before its faces were restored.
    var files: [String] {
      guard let file else { return [] }
      return ([file] + others).flatMap { [$0, RunFolder.nameBeforeFaces($0)] }
    }
  }

  /// By identity.
  var entries: [JobID: Entry] = [:]

  /// No images.
  init() {}

  /// Reads the file of a run; a missing one is empty.
  ///
  /// - Parameter folder: The run.
  /// - Throws: `RunError.notRead`, or `damaged` for a line that is not an entry.
  init(of folder: RunFolder) throws {
    guard access(folder.forgotten, F_OK) == 0 else { return }
    var number = 0
    try FileReader.forEachLine(of: folder.forgotten) { _, line, _ in
      number += 1
      if line.isEmpty { return }
      guard let json = try? JSONValue(parsing: line), let entry = Entry(json) else {
        throw RunError.damaged(
          path: folder.forgotten, problem: "line \(number) is not an entry; correct it, or remove the line")
      }
      entries[entry.id] = entry
    }
  }

  /// Writes the file; a file with equal bytes stays unchanged.
  ///
  /// - Parameters:
  ///   - folder: The run, whose lock is held.
  ///   - disk: The disk.
  /// - Throws: `RunError.notWritten`.
  func write(to folder: RunFolder, on disk: Disk) throws {
    let sorted = entries.values.sorted {
      ($0.forgotten.milliseconds, $0.id.description) < ($1.forgotten.milliseconds, $1.id.description)
    }
    let text = sorted.map { $0.json.jsonText + "\n" }.joined()
    if text.isEmpty, access(folder.forgotten, F_OK) != 0 { return }
    try AtomicFile.write(to: folder.forgotten, on: disk, keepsEqual: true) { file in try file.write(Array(text.utf8)) }
  }
}

extension ForgottenImages.Entry {
  /// Reads what `json` returns; nil for anything else.
  init?(_ json: JSONValue) {
    guard let id = json["id"]?.text.flatMap({ JobID($0) }),
      let time = json["forgotten"]?.text.flatMap({ Timestamp($0) }),
      let reason = json["reason"]?.text.flatMap(ForgottenImages.Reason.init)
    else { return nil }
    let file = json["file"]?.text
    let others = json["others"]?.elements?.compactMap(\.text) ?? []
    guard ((file.map { [$0] } ?? []) + others).allSatisfy(RunFolder.isImageName) else { return nil }
    self.init(
      id: id, night: json["night"]?.text.flatMap { LocalDate($0) }, file: file, others: others, forgotten: time,
      reason: reason,
      isMoving: json["moving"] == true)
  }

  /// A line of the file.
  var json: JSONValue {
    var members = [
      JSONMember("id", .string(id.description)), JSONMember("night", night.map { .string("\($0)") } ?? .null),
      JSONMember("file", file.map { .string($0) } ?? .null), JSONMember("forgotten", .string(forgotten.iso)),
      JSONMember("reason", .string(reason.rawValue)),
    ]
    if !others.isEmpty { members.append(JSONMember("others", .array(others.map { .string($0) }))) }
    if isMoving { members.append(JSONMember("moving", .bool(true))) }
    return .object(members)
  }
}

extension RunFolder {
  /// The images of a nightly series that are not made again.
  public var forgotten: String { file("forgotten.jsonl") }
  /// Forgotten images, until they are deleted.
  public var trash: String { file("trash") }

  /// The path of a forgotten image.
  func trashed(_ file: String) -> String { "\(trash)/\((file as NSString).lastPathComponent)" }
}
