import Diffusion
import Foundation
import Imaging

/// The picture of what an image is becoming, in the run's folder while the run goes on.
///
/// Whoever looks finds it whole: it is replaced as a whole. A run is no worse for want of it.
struct PreviewFile {
  /// The PNG.
  let path: String
  /// A TAESD.
  let decoder: String
  /// Sampling steps from one to the next.
  let interval: Int

  /// What the engine is to show; throws for a decoder that is none.
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
