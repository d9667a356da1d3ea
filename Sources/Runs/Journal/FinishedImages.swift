import Foundation
import Settings

/// The images that a run folder has, according to its journal and the image files.
public struct FinishedImages {
  private let folder: RunFolder
  private let index: JournalIndex

  /// Reads the journal of a folder; a folder that does not exist has no images.
  ///
  /// - Parameter folder: The run, which may be in progress.
  /// - Throws: `RunError.notRead`.
  public init(_ folder: RunFolder) throws {
    self.folder = folder
    index = try JournalIndex(folder)
  }

  /// Whether there are no images.
  public var isEmpty: Bool { index.images.isEmpty }

  /// Whether the image of an identity exists.
  public func contains(_ id: JobID) -> Bool {
    guard let image = index.images[id] else { return false }
    let journal = JournalReader(folder, index)
    let check = try? ImageCheck(folder.file(image.file), mark: image.mark) { try journal.image(id)?.sha256 }
    if case .lost? = check { return false }
    return check != nil
  }

  /// What the journal says about the image of an identity; nil if there is no such image.
  ///
  /// - Parameter id: A job's identity.
  /// - Returns: The file's path relative to the run folder, the seconds that the image took if they are known, the text in the
  ///   file, and when work on it began, as the webui writes that: `20260131235959`.
  /// - Throws: `RunError.notRead`.
  public func details(_ id: JobID) throws -> Details? {
    guard let image = try JournalReader(folder, index).image(id) else { return nil }
    return Details(
      file: image.file, seconds: image.seconds, infotext: image.infotext, started: image.started.compactLocal)
  }

  /// What the journal says about an image.
  public struct Details: Hashable, Sendable {
    /// Relative to the run folder.
    public var file: String
    /// How long the image took; nil if the process was killed before it could note the time.
    public var seconds: Double?
    /// The text in the file.
    public var infotext: String
    /// When work on it began, in local time: `20260131235959`.
    public var started: String
  }
}
