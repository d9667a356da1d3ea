import Foundation
import Imaging
import Runs
import Sheets

/// The thumbnails of a run's images, `thumbs/`, so that a page with thousands of images loads fast.
struct ThumbnailFiles {
  let folder: RunFolder

  /// The longest side of a thumbnail, in pixels.
  static let side = 192
  /// Images up to this size need no thumbnail.
  private static let largestWithout = 256

  init(_ folder: RunFolder) { self.folder = folder }

  /// Makes thumbnails that are missing or older than their images.
  ///
  /// An image that cannot be read gets none.
  ///
  /// - Parameters:
  ///   - entries: All images of the run.
  ///   - patience: The longest time to work; nil for no limit.
  /// - Returns: The names of the existing thumbnails, relative to the run folder.
  /// - Throws: `RunError.notWritten`.
  func refresh(_ entries: [RunImages.Entry], patience: Duration?) throws -> Set<String> {
    let large = entries.filter {
      $0.path != nil && max($0.job.settings.finalWidth, $0.job.settings.finalHeight) > Self.largestWithout
    }
    if large.isEmpty { return [] }
    try Disk().makeFolder(folder.thumbnails)
    let start = ContinuousClock.now
    var made: Set<String> = []
    var missing: [String] = []
    for entry in large {
      guard let path = entry.path else { continue }
      if DerivedFile.isFresh(copy(of: path), comparedWith: [path]) {
        made.insert(name(of: path))
      } else {
        missing.append(path)
      }
    }
    // A few at a time, since the time may be over after each batch.
    while !missing.isEmpty, patience.map({ start.duration(to: .now) < $0 }) ?? true {
      let batch = Array(missing.prefix(16))
      missing.removeFirst(batch.count)
      let copies = Thumbnail.concurrently(batch.count) { Thumbnail.read(batch[$0], box: (Self.side, Self.side)) }
      for (path, image) in zip(batch, copies) {
        guard let image, let file = try? PNGFile(image: image).encoded() else { continue }
        try DerivedFile.write(to: copy(of: path)) { sink in try sink(file) }
        made.insert(name(of: path))
      }
    }
    return made
  }

  /// The name of an image's thumbnail.
  private func name(of path: String) -> String { RunFolder.thumbnail(of: folder.name(of: path)) }

  private func copy(of path: String) -> String { folder.file(name(of: path)) }
}
