import Foundation
import Sampling
import Settings

/// An image between two steps: the loop of its current pass, and which checkpoint runs.
struct ImageState {
  var loop: SamplingLoop
  /// Whether the refiner has taken over in this pass.
  var isRefining = false
  /// The state of earlier calls that later calls of this pass need.
  var history = DenoiserHistory()
}

extension SamplingLoop {
  /// Whether this is a second pass.
  var isSecondPass: Bool { settings.denoisingStrength != nil }
}

/// A saved image is a binary property list, in which latents are raw numbers.
extension ImageState: Codable {
  private enum CodingKeys: String, CodingKey {
    case isRefining, features, guidance
  }

  init(from decoder: any Decoder) throws {
    loop = try SamplingLoop(from: decoder)
    let container = try decoder.container(keyedBy: CodingKeys.self)
    isRefining = try container.decodeIfPresent(Bool.self, forKey: .isRefining) ?? false
    history.features = try container.decodeIfPresent(ForecastFeatures.self, forKey: .features) ?? ForecastFeatures()
    history.guidance = try container.decodeIfPresent(Latent.self, forKey: .guidance)
  }

  func encode(to encoder: any Encoder) throws {
    try loop.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    if isRefining { try container.encode(true, forKey: .isRefining) }
    if !history.features.isEmpty { try container.encode(history.features, forKey: .features) }
    try container.encodeIfPresent(history.guidance, forKey: .guidance)
  }
}

extension ImageState {
  /// The current state, which can be encoded later.
  var generationState: GenerationState {
    GenerationState(
      step: loop.earlierSteps + loop.stepIndex,
      position: loop.isSecondPass ? .secondPassCall(loop.callCount) : .call(loop.callCount)
    ) {
      let encoder = PropertyListEncoder()
      encoder.outputFormat = .binary
      return [UInt8](try encoder.encode(self))
    }
  }

  /// Continues from bytes of `generationState`.
  ///
  /// - Parameters:
  ///   - bytes: A saved image, in any pass.
  ///   - passes: The settings of each pass of the image.
  /// - Throws: `UnusableState` if the bytes are not a saved image, or belong to another image.
  init(bytes: [UInt8], continuing passes: [SamplingSettings]) throws {
    do {
      self = try PropertyListDecoder().decode(ImageState.self, from: Data(bytes))
    } catch {
      throw UnusableState("it cannot be read by this version")
    }
    // Settings that the sampler does not read may differ: the image is the same.
    let found = loop.settings
    let isOfPass = passes.contains { settings in
      found.sampler == settings.sampler && found.steps == settings.steps && found.seed == settings.seed
        && found.rng == settings.rng && found.shape == settings.shape
        && found.denoisingStrength == settings.denoisingStrength
    }
    guard isOfPass else { throw UnusableState("it belongs to an image with other settings") }
  }
}
