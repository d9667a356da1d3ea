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
    var seen: Set<String> = []
    // Equal cells of a grid have one image.
    for path in large.compactMap(\.path) where seen.insert(path).inserted {
      if isFresh(path) {
        made.insert(name(of: path))
      } else {
        missing.append(path)
      }
    }
    if missing.isEmpty || patience.map({ start.duration(to: .now) >= $0 }) == true { return made }
    let copies = OrderedWork<[UInt8]?>(missing.count, ahead: 16) { [missing] number in
      guard let image = Thumbnail.read(missing[number], box: (Self.side, Self.side)) else { return nil }
      return try? PNGFile(image: image).encoded(isFast: true)
    }
    for path in missing {
      if let patience, start.duration(to: .now) >= patience { break }
      guard let file = copies.next(1).first ?? nil else { continue }
      // It can be made again, so it need not survive a power cut.
      try DerivedFile.write(to: copy(of: path), isDurable: false) { sink in try sink(file) }
      made.insert(name(of: path))
    }
    return made
  }

  /// The thumbnail of an image, if there is one that is up to date.
  func thumbnail(of path: String) -> SheetCell.Thumbnail? {
    isFresh(path) ? SheetCell.Thumbnail(path: copy(of: path), side: Self.side) : nil
  }

  private func isFresh(_ path: String) -> Bool { DerivedFile.isFresh(copy(of: path), comparedWith: [path]) }

  /// The name of an image's thumbnail.
  private func name(of path: String) -> String { RunFolder.thumbnail(of: folder.name(of: path)) }

  private func copy(of path: String) -> String { folder.file(name(of: path)) }
}
