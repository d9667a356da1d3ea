import Foundation
import Sampling
import Settings

/// Where an image is between two steps: the loop of the pass that it is in, and which checkpoint runs.
struct ImageState {
  var loop: SamplingLoop
  /// Whether the refiner has taken over in this pass.
  var isRefining = false
}

extension SamplingLoop {
  /// Whether it is the way of a second pass.
  var isSecondPass: Bool { settings.denoisingStrength != nil }
}

/// The image as the bytes of a checkpoint: a binary property list, in which latents are raw numbers.
extension ImageState: Codable {
  private enum CodingKeys: String, CodingKey {
    case isRefining
  }

  init(from decoder: any Decoder) throws {
    loop = try SamplingLoop(from: decoder)
    let container = try decoder.container(keyedBy: CodingKeys.self)
    isRefining = try container.decodeIfPresent(Bool.self, forKey: .isRefining) ?? false
  }

  func encode(to encoder: any Encoder) throws {
    try loop.encode(to: encoder)
    guard isRefining else { return }
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(true, forKey: .isRefining)
  }
}

extension ImageState {
  /// The state as it is now; whoever holds it may take its bytes later.
  var generationState: GenerationState {
    GenerationState(step: loop.earlierSteps + loop.stepIndex) {
      let encoder = PropertyListEncoder()
      encoder.outputFormat = .binary
      return [UInt8](try encoder.encode(self))
    }
  }

  /// Continues from bytes of `generationState`.
  ///
  /// - Parameters:
  ///   - bytes: An image in any pass.
  ///   - passes: The settings of each pass of the image.
  /// - Throws: `UnusableState` if the bytes are no image, or another one.
  init(bytes: [UInt8], continuing passes: [SamplingSettings]) throws {
    do {
      self = try PropertyListDecoder().decode(ImageState.self, from: Data(bytes))
    } catch {
      throw UnusableState("it cannot be read by this version")
    }
    // What else the settings say may differ where the sampler does not read it, without making another image.
    let found = loop.settings
    let isOfPass = passes.contains { settings in
      found.sampler == settings.sampler && found.steps == settings.steps && found.seed == settings.seed
        && found.rng == settings.rng && found.shape == settings.shape
        && found.denoisingStrength == settings.denoisingStrength
    }
    guard isOfPass else { throw UnusableState("it is of an image with other settings") }
  }
}
