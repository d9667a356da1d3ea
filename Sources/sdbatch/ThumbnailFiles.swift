import Batch
import Foundation
import Imaging
import Sheets

/// Small copies of a run's pictures, `thumbs/`, so that a page of thousands is light.
struct ThumbnailFiles {
  let folder: RunFolder

  /// The longest side of a copy, in pixels.
  static let side = 192
  /// Pictures no longer than this are light enough themselves.
  private static let largestWithout = 256

  init(_ folder: RunFolder) { self.folder = folder }

  /// Makes those that are missing, or older than their pictures.
  ///
  /// A picture that cannot be read has none.
  ///
  /// - Parameters:
  ///   - pictures: All pictures of the run.
  ///   - patience: How long to work at most; nothing for as long as it takes.
  /// - Returns: The names of those that are there, which are the pictures' names.
  /// - Throws: `BatchError.notWritten`.
  func refresh(_ pictures: [RunPictures.Picture], patience: Duration?) throws -> Set<String> {
    let large = pictures.filter {
      $0.path != nil && max($0.job.parameters.width, $0.job.parameters.height) > Self.largestWithout
    }
    if large.isEmpty { return [] }
    try Disk().makeFolder(folder.thumbnails)
    let start = ContinuousClock.now
    var made: Set<String> = []
    for picture in large {
      guard let path = picture.path else { continue }
      let name = (path as NSString).lastPathComponent
      let copy = "\(folder.thumbnails)/\(name)"
      if DerivedFile.isFresh(copy, comparedWith: [path]) {
        made.insert(name)
      } else if patience.map({ start.duration(to: .now) < $0 }) ?? true, let file = Self.small(path) {
        try DerivedFile.write(to: copy) { sink in try sink(file) }
        made.insert(name)
      }
    }
    return made
  }

  private static func small(_ path: String) -> [UInt8]? {
    guard let bytes = FileManager.default.contents(atPath: path),
      let image = try? PNGFile(decoding: Array(bytes)).image
    else { return nil }
    let size = Thumbnail.size(width: image.width, height: image.height, box: (side, side))
    return try? PNGFile(image: Thumbnail.scaled(image, width: size.width, height: size.height)).encoded()
  }
}
