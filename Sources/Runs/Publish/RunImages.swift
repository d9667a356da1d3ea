import Foundation
import Infotext
import JSON
import Settings

/// The jobs of a run with their images, from its files only; the run may still be in progress.
public struct RunImages: Sendable {
  /// A job of the plan.
  public struct Entry: Sendable {
    /// The job.
    public var job: Job
    /// Its axis positions as views show them.
    public var axes: [AxisPosition]
    /// Its whole identity.
    public var id: String
    /// The absolute path of its image; nil if there is none yet.
    public var path: String?
    /// Why its last try failed.
    public var error: String?
    /// The text in the image, or the text that it will have.
    public var infotext: String
    /// How long the image took.
    public var seconds: Double?
  }

  /// Every job in the order of the plan, except those that the next run leaves out.
  public var entries: [Entry] = []
  /// The recipe as the manifest shows it; null for a plan without jobs.
  public var recipe = JSONValue.null

  /// Reads a run folder.
  ///
  /// - Parameter folder: The run.
  /// - Throws: `RunError`; `noRun` if there is no plan.
  public init(_ folder: RunFolder) throws {
    let (details, jobs) = try PlanFile.read(folder)
    recipe = details?.recipe ?? .null
    let journal = JournalReader(folder, try JournalIndex(folder))
    let leftOut = try LeftOutJobs(folder, journal.index)
    let shown = jobs.filter { !leftOut.contains($0.id) }
    for (planned, axes) in zip(shown, Nights.shownAxes(of: shown.map(\.job))) {
      var entry = Entry(job: planned.job, axes: axes, id: planned.id.description, infotext: "")
      if let image = try journal.image(planned.id), access(folder.file(image.file), F_OK) == 0 {
        entry.path = folder.file(image.file)
        entry.infotext = image.infotext
        entry.seconds = image.seconds
      } else {
        entry.error = try journal.failure(planned.id)?.error
        entry.infotext =
          Infotext(planned.job.settings, planned.ingredients, version: details?.engine.version ?? "").text
      }
      entries.append(entry)
    }
  }
}

/// Files that are made from other files of a run and can be made again, such as contact sheets.
public enum DerivedFile {
  /// Writes a file completely, or leaves it unchanged.
  ///
  /// - Parameters:
  ///   - path: The file; an existing file is replaced.
  ///   - disk: The disk.
  ///   - isDurable: Whether the file survives a power cut after this returns.
  ///   - body: Receives a function that takes the pieces of the file.
  /// - Throws: `RunError.notWritten`, or what `body` throws; then the file at `path` is unchanged.
  public static func write(
    to path: String, on disk: Disk = Disk(), isDurable: Bool = true,
    _ body: (@escaping ([UInt8]) throws -> Void) throws -> Void
  ) throws {
    try AtomicFile.write(to: path, on: disk, isDurable: isDurable) { file in try body(file.write) }
  }

  /// Removes what killed processes left while they wrote these files on a shared disk. Errors are ignored: the next process
  /// tries again.
  ///
  /// - Parameter paths: The files, which may be in several folders and need not exist.
  public static func removeLeftovers(of paths: [String]) {
    let names = Dictionary(grouping: paths) { ($0 as NSString).deletingLastPathComponent }
      .mapValues { Set($0.map { ($0 as NSString).lastPathComponent }) }
    for (folder, names) in names {
      try? TemporaryFile.removeLeftovers(
        in: folder.isEmpty ? "." : folder, of: names.contains, on: Disk(isShared: true))
    }
  }

  /// Creates a folder for these files, unless it exists.
  ///
  /// - Parameters:
  ///   - path: The folder.
  ///   - disk: The disk.
  /// - Throws: `RunError.notWritten`.
  public static func makeFolder(_ path: String, on disk: Disk = Disk()) throws { try disk.makeFolder(path) }

  /// Whether a file exists and is not older than its sources.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - sources: The files from which it is made; missing ones do not count.
  /// - Returns: Whether it need not be made again.
  public static func isFresh(_ path: String, comparedWith sources: [String]) -> Bool {
    // After a power cut, a file that was not durable may be empty.
    guard let made = try? FileMark(path: path), made.size > 0 else { return false }
    return sources.allSatisfy { source in (try? FileMark(path: source).modified).map { $0 <= made.modified } ?? true }
  }
}
