import Networks
import Sampling
import Settings
import Tensors

/// The UNet as samplers see it: noise in, image or noise out, under classifier-free guidance (Ho & Salimans 2022,
/// arXiv:2207.12598).
struct GuidedDenoiser: GuidedModel {
  let unet: UNet
  let training: TrainingSchedule
  let prediction: Prediction
  let conditioning: Conditioning
  /// `cfg_scale`, for networks that are told it.
  let guidance: Float
  /// What the image changes in the network.
  let options: UNetOptions
  /// Which calls leave out what guidance steers away from.
  let skips: GuidanceSkips
  /// Answers to first calls; nothing to ask the network every time, with the same result.
  let memory: EvaluationMemory?
  /// What deep layers said; nothing where they are always computed.
  let featureCache: FeatureCache?
  let compute: Compute

  func denoised(_ x: Latent, sigma: Float, timestep: Float?, call: Int) throws(EngineError) -> Latent {
    let isSkipped = skips.skips(call: call, level: sigma)
    let outputs = try outputs(
      Prediction.networkInput(x, sigma: sigma), timestep: timestep ?? training.timestep(forSigma: sigma), call: call,
      contexts: conditioning.contexts(atCall: call, isSkipped: isSkipped))
    return conditioning.combine(
      outputs.map { prediction.denoised(x, output: $0, sigma: sigma) }, isSkipped: isSkipped)
  }

  func noise(_ x: Latent, timestep: Float, call: Int) throws(EngineError) -> GuidedNoise {
    let isSkipped = skips.skips(call: call, level: timestep)
    let alpha = training.alphaCumprod(atTimestep: timestep)
    let noises = try outputs(
      x, timestep: timestep, call: call, contexts: conditioning.contexts(atCall: call, isSkipped: isSkipped)
    ).map { prediction.noise(x, output: $0, alphaCumprod: alpha) }
    let hasNegative = conditioning.negative != nil && !isSkipped
    return GuidedNoise(
      guided: conditioning.combine(noises, isSkipped: isSkipped),
      unconditional: noises[hasNegative ? noises.count - 1 : 0])
  }

  /// What the network says with each context.
  ///
  /// Throws `EngineError.notFinite` at once: what follows could only be noise, and some samplers would never end.
  private func outputs(
    _ input: Latent, timestep: Float, call: Int, contexts: [UNetContext]
  ) throws(EngineError) -> [Latent] {
    if let featureCache {
      let hasNegative = conditioning.negative != nil && contexts.count > conditioning.parts.count
      let places = Array(conditioning.parts.indices) + (hasNegative ? [FeatureCache.negative] : [])
      return try answers(input, timestep, call: call, contexts: contexts, places: places, featureCache)
    }
    // What a network says that is told the guidance scale is no answer to another one.
    guard let memory, !unet.readsGuidance else {
      return try answers(input, copies: contexts.count, timestep, call: call, contexts: contexts)
    }
    // Parts of a prompt that say the same are one question.
    var places: [UNetContext.Identity: Int] = [:]
    for (place, context) in contexts.enumerated() where places[context.identity] == nil {
      places[context.identity] = place
    }
    let isKept = EvaluationMemory.calls.contains(call)
    let questions = isKept ? EvaluationMemory.Question.questions(input, timestep, options, contexts) : []
    var known: [Int: Latent] = [:]
    for place in places.values where isKept { known[place] = memory.answer(questions[place]) }
    let open = places.values.filter { known[$0] == nil }.sorted()
    if !open.isEmpty {
      let found = try answers(input, copies: 1, timestep, call: call, contexts: open.map { contexts[$0] })
      for (place, answer) in zip(open, found) {
        known[place] = answer
        if isKept { memory.keep(answer, to: questions[place]) }
      }
    }
    memory.count(asked: contexts.count, saved: contexts.count - open.count)
    return contexts.compactMap { context in places[context.identity].flatMap { known[$0] } }
  }

  private func answers(
    _ input: Latent, _ timestep: Float, call: Int, contexts: [UNetContext], places: [Int], _ cache: FeatureCache
  ) throws(EngineError) -> [Latent] {
    let latent = compute.tensor(input, copies: 1)
    if let features = cache.features(of: places, atCall: call) {
      return try latents(
        unet.forward(
          latent, timestep: timestep, contexts: contexts, guidance: guidance, options: options,
          reusing: features),
        count: contexts.count, call: call)
    }
    let (output, features) = unet.forwardKeepingFeatures(
      latent, timestep: timestep, contexts: contexts, guidance: guidance, options: options)
    cache.keep(features, of: places)
    return try latents(output, count: contexts.count, call: call)
  }

  private func answers(
    _ input: Latent, copies: Int, _ timestep: Float, call: Int, contexts: [UNetContext]
  ) throws(EngineError) -> [Latent] {
    let output = unet.forward(
      compute.tensor(input, copies: copies), timestep: timestep, contexts: contexts, guidance: guidance,
      options: options)
    return try latents(output, count: contexts.count, call: call)
  }

  private func latents(_ output: Tensor, count: Int, call: Int) throws(EngineError) -> [Latent] {
    guard UnsafeBufferPointer(start: output.base, count: output.count).allSatisfy(\.isFinite) else {
      throw .notFinite(stage: "network's output in call \(call + 1)")
    }
    return (0..<count).map { Latent(output, image: $0) }
  }
}

extension Compute {
  /// The same latent several times, channels last: `[copies, height, width, channels]`.
  func tensor(_ latent: Latent, copies: Int) -> Tensor {
    let shape = latent.shape
    let tensor = tensor(batch: copies, height: shape.height, width: shape.width, channels: shape.channels)
    let pixels = shape.height * shape.width
    latent.values.withUnsafeBufferPointer { values in
      for image in 0..<copies {
        let base = tensor.pixel(image, 0, 0)
        for c in 0..<shape.channels {
          for pixel in 0..<pixels { base[pixel * shape.channels + c] = values[c * pixels + pixel] }
        }
      }
    }
    return tensor
  }
}

extension Latent {
  /// One image of a batch, channels first.
  init(_ tensor: Tensor, image: Int) {
    let pixels = tensor.height * tensor.width
    let base = tensor.pixel(image, 0, 0)
    let values = [Float](unsafeUninitializedCapacity: pixels * tensor.channels) { buffer, count in
      for c in 0..<tensor.channels {
        for pixel in 0..<pixels { buffer[c * pixels + pixel] = base[pixel * tensor.channels + c] }
      }
      count = pixels * tensor.channels
    }
    self.init(
      shape: LatentShape(channels: tensor.channels, height: tensor.height, width: tensor.width), values: values)
  }
}
