import Diffusion
import Foundation
import Imaging

/// A preview of the unfinished image, in the run folder during the run.
///
/// It is replaced as a whole. Errors are ignored, since no run depends on it.
struct PreviewFile {
  /// The PNG.
  let path: String
  /// A TAESD.
  let decoder: String
  /// A preview is made every so many sampling steps.
  let interval: Int

  /// The engine's previews; throws for a file that is not a decoder.
  var previews: Previews {
    get throws {
      try Previews(every: interval, decoder: decoder) { image in
        guard let bytes = try? PNGFile(image: image).encoded() else { return }
        // Renamed into place by Foundation.
        try? Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
      }
    }
  }

  func remove() { unlink(path) }
}
