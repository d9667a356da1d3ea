import Foundation
import JSON

extension RunFolder {
  /// Whether this program has worked in the folder, judged by the files with which a run begins.
  ///
  /// However early a run was killed, one of these files exists, or no file of a run exists.
  public var isRun: Bool {
    if begins("run.lock", with: ["host "]) || begins("plan.jsonl", with: [#"{"id":""#])
      || begins("manifest.json", with: ["{\n\"schema\":", "{\"schema\":"])
    {
      return true
    }
    if JournalFiles(self).names.contains(where: { begins($0, with: [#"{"event":"#]) }) { return true }
    // Shards take no lock, and draw the seeds before anything else.
    return hasSeeds && !["index.html", "manifest.json", "contact-sheet.png"].contains { access(file($0), F_OK) == 0 }
  }

  /// Checks that no file gets lost if a run writes here: the folder belongs to a run, or contains no names that runs write.
  /// Also checks that a run can write here, as far as that does not depend on the recipe.
  ///
  /// - Throws: `RunError.notOfRun` with the names, or `RunError.obstructed`.
  public func checkIsUsable() throws {
    // The names first: when a run begins at this moment, the lock exists before them.
    guard let names = try? AtomicFile.names(in: path) else { return }
    let foreign = names.filter(isForeign)
    if !foreign.isEmpty, !isRun { throw RunError.notOfRun(path: path, names: foreign.sorted()) }
    try checkIsClear()
  }

  /// Checks that this is the folder of a run with a plan.
  ///
  /// - Throws: `RunError.noRun`.
  func checkIsRun() throws {
    guard access(plan, F_OK) == 0, isRun else { throw RunError.noRun(path: path) }
  }

  /// Whether an entry of the folder prevents a run from starting here, unless the folder belongs to a run.
  private func isForeign(_ name: String) -> Bool {
    // A run that was killed before its first step leaves an empty lock.
    if name == "run.lock" { return (try? FileMark(path: lock))?.size != 0 }
    if RunFileName.isOfRun(name) { return true }
    guard RunFileName.isFolderOfRun(name) else { return false }
    guard let entries = try? AtomicFile.names(in: file(name)) else { return true }
    let visible = entries.filter { !$0.hasPrefix(".") }
    return switch name {
    case "images", "thumbs": !visible.allSatisfy(RunFileName.isImage)
    case "checkpoints": !visible.allSatisfy { $0.hasSuffix(".checkpoint") }
    case "responses", "outbox": !visible.isEmpty
    default: false
    }
  }

  private func begins(_ name: String, with beginnings: [String]) -> Bool {
    guard let bytes = try? FileReader(path: file(name)).read(0..<64) else { return false }
    return beginnings.contains { bytes.starts(with: $0.utf8) }
  }

  /// Whether the file has draws for seeds as a run stores them: an object of whole numbers.
  private var hasSeeds: Bool {
    guard let size = try? FileMark(path: seeds).size, size < 1 << 20, let bytes = try? FileReader.bytes(of: seeds),
      case .object(let members) = bytes.withUnsafeBufferPointer({ try? JSONValue(parsing: $0) })
    else { return false }
    return members.allSatisfy { $0.value.integerValue != nil }
  }
}
