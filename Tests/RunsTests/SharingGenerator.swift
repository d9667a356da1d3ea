import Hashing
import Foundation
import Imaging
import JSON
import Runs
import Settings

/// Makes images whose pixels are a function of everything that took effect, each change at its own call or stage, and counts
/// the different states. Images with equal prefixes have equal states.
struct SharingGenerator: ImageGenerator {
  /// What was done, shared by all copies.
  final class Record {
    /// Each step that was taken, as the state after it.
    var steps: [[UInt8]] = []
  }

  let record = Record()
  private let fake = FakeGenerator(log: "/dev/null")

  var description: EngineDescription { fake.description }

  func ingredients(for settings: ImageSettings) throws -> JobIngredients { try fake.ingredients(for: settings) }

  /// A prompt "boat[ship@7" is a boat in the first seven calls of a pass, and then a ship.
  func changes(in settings: ImageSettings) -> [CallChange]? {
    let first = changes(in: settings.prompt, isInSecondPass: false)
    guard let second = settings.secondPass else { return first }
    return first + changes(in: second.prompt, isInSecondPass: true)
  }

  private func changes(in prompt: String, isInSecondPass: Bool) -> [CallChange] {
    let parts = prompt.split(separator: "[", maxSplits: 1).map(String.init)
    var changes = [CallChange(call: 0, text: parts.first ?? "", isInSecondPass: isInSecondPass)]
    guard parts.count == 2, let at = parts[1].firstIndex(of: "@") else { return changes }
    let call = Int(parts[1][parts[1].index(after: at)...]) ?? 0
    changes.append(CallChange(call: call, text: String(parts[1][..<at]), isInSecondPass: isInSecondPass))
    return changes
  }

  private struct State {
    var latent: [UInt8]
    var steps = 0
    var isSecond = false

    init(latent: [UInt8]) { self.latent = latent }

    init(_ bytes: [UInt8]) {
      latent = Array(bytes.prefix(32))
      steps = Int(bytes[32])
      isSecond = bytes[33] == 1
    }

    var bytes: [UInt8] { latent + [UInt8(steps), isSecond ? 1 : 0] }
  }

  func generate(
    _ settings: ImageSettings, resuming earlier: [UInt8]?,
    progress: (GenerationProgress, GenerationState?) throws -> Void
  ) throws -> RGBImage {
    var state = earlier.map { State($0) } ?? State(latent: start(settings))
    let callsPerStep = settings.sampler.plannedCalls(steps: 1)
    func report(_ stage: GenerationProgress) throws {
      let calls = (state.isSecond ? state.steps - settings.steps : state.steps) * callsPerStep
      let position = state.isSecond ? ImagePosition.secondPassCall(calls) : .call(calls)
      try progress(stage, GenerationState(step: state.steps, position: position) { [state] in state.bytes })
    }
    func step(_ text: String) throws {
      try report(.sampling(step: state.steps, of: settings.allSteps))
      state.latent = Self.digest(state.latent + Array(text.utf8))
      state.steps += 1
      record.steps.append(state.latent)
    }
    let changes = changes(in: settings) ?? []
    /// The texts of a step's calls, counted in its pass.
    func texts(ofStep step: Int) -> String {
      let calls = step * callsPerStep..<(step + 1) * callsPerStep
      return calls.map { call in changes.last { $0.isInSecondPass == state.isSecond && $0.call <= call }?.text ?? "" }
        .joined(separator: ",")
    }
    while !state.isSecond, state.steps < settings.steps { try step(texts(ofStep: state.steps)) }
    if let hires = settings.hires {
      if !state.isSecond {
        try report(.sampling(step: state.steps, of: settings.allSteps))
        let vae = hires.enlargesImages ? settings.vae?.name ?? "" : ""
        if hires.enlargesImages { try report(.upscaling(piece: 0, of: 1)) }
        var enlarging = hires
        enlarging.prompt = ""
        state.latent = Self.digest(state.latent + Array("\(enlarging) \(vae)".utf8))
        state.isSecond = true
      }
      while state.steps < settings.allSteps { try step(texts(ofStep: state.steps - settings.steps)) }
    }
    try report(.sampling(step: state.steps, of: settings.allSteps))
    try report(.decoding)
    let pixels = Self.digest(state.latent + Array("\(settings.vae?.name ?? "")".utf8))
    let count = settings.finalWidth * settings.finalHeight * 3
    return RGBImage(
      width: settings.finalWidth, height: settings.finalHeight, pixels: (0..<count).map { pixels[$0 % pixels.count] })
  }

  private func start(_ settings: ImageSettings) -> [UInt8] {
    let (seed, cfg, sampler, steps) = (settings.seed, settings.cfgScale, settings.sampler.rawValue, settings.steps)
    return Self.digest(Array("\(seed) \(cfg) \(sampler) \(steps)".utf8))
  }

  private static func digest(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(bytes)) }

  /// The image with these settings, made alone.
  static func alone(_ settings: ImageSettings) throws -> RGBImage {
    try SharingGenerator().generate(settings, resuming: nil) { _, _ in }
  }

  /// How many different steps the images of some jobs take, if each is made alone.
  static func distinctSteps(_ jobs: [Job]) throws -> Int {
    let generator = SharingGenerator()
    for job in jobs { _ = try generator.generate(job.settings, resuming: nil) { _, _ in } }
    return Set(generator.record.steps).count
  }
}
