import Foundation
import Jobs

/// Which pictures a run folder already holds, by the journal and the size of each file.
public struct FinishedImages {
  private let folder: RunFolder
  private let index: JournalIndex

  /// Reads the journal of a folder; one that does not exist holds nothing.
  ///
  /// - Parameter folder: The run, which may be going on.
  /// - Throws: `BatchError.notRead`.
  public init(_ folder: RunFolder) throws {
    self.folder = folder
    index = try JournalIndex(folder)
  }

  /// Whether there is none at all.
  public var isEmpty: Bool { index.images.isEmpty }

  /// Whether the picture of an identity is there.
  public func contains(_ id: JobID) -> Bool {
    guard let image = index.images[id] else { return false }
    return (try? FileMark(path: folder.file(image.file)))?.size == image.mark.size
  }
}
