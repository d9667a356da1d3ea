import Foundation
import Jobs
import Sampling

/// The loop as the bytes of a checkpoint: a binary property list, in which latents are raw numbers.
extension SamplingLoop {
  /// The loop as it is now; whoever holds it may take its bytes later.
  var state: GenerationState {
    GenerationState(step: earlierSteps + stepIndex) {
      let encoder = PropertyListEncoder()
      encoder.outputFormat = .binary
      return [UInt8](try encoder.encode(self))
    }
  }

  /// Whether it is the way of a second pass.
  var isSecondPass: Bool { settings.denoisingStrength != nil }

  /// Continues from bytes of `state`.
  ///
  /// - Parameters:
  ///   - bytes: A loop of any pass.
  ///   - passes: The settings of each pass of the image.
  /// - Throws: `UnusableState` if the bytes are no loop, or one of another image.
  init(bytes: [UInt8], continuing passes: [SamplingSettings]) throws {
    do {
      self = try PropertyListDecoder().decode(SamplingLoop.self, from: Data(bytes))
    } catch {
      throw UnusableState("it cannot be read by this version")
    }
    // What else the settings say may differ where the sampler does not read it, without making another image.
    let found = self.settings
    let isOfPass = passes.contains { settings in
      found.sampler == settings.sampler && found.steps == settings.steps && found.seed == settings.seed
        && found.rng == settings.rng && found.shape == settings.shape
        && found.denoisingStrength == settings.denoisingStrength
    }
    guard isOfPass else { throw UnusableState("it is of an image with other settings") }
  }
}
