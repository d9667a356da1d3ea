import Diffusion
import Foundation
import Imaging
import Runs

/// A preview of the unfinished image, in the run folder during the run.
///
/// It is replaced as a whole. Errors are ignored, since no run depends on it.
final class PreviewFile {
  /// The lock of the run, once it is taken; a shard has none.
  weak var lock: RunLock?
  private let path: String
  private let decoder: Previews.Decoder
  private let interval: Int

  /// - Parameters:
  ///   - path: The PNG.
  ///   - decoder: Which TAESD decodes it.
  ///   - interval: A preview is made every so many sampling steps.
  init(path: String, decoder: Previews.Decoder, interval: Int) {
    self.path = path
    self.decoder = decoder
    self.interval = interval
  }

  /// The engine's previews; throws for a named file that is not a decoder.
  var previews: Previews {
    get throws {
      try Previews(every: interval, decoder: decoder) { [self] image in
        guard !isLost, let bytes = try? PNGFile(image: image).encoded() else { return }
        try? DerivedFile.write(to: path, on: Disk(isShared: true), isDurable: false) { sink in try sink(bytes) }
      }
    }
  }

  func remove() { if !isLost { unlink(path) } }

  /// Whether the run folder was taken away, or replaced by another process.
  private var isLost: Bool { lock?.isHeld == false }
}
