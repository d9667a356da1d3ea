import Crypto
import JSON
import Text

/// What tells one picture from another: a digest of everything that changes pixels and of nothing else.
public struct JobID: Hashable, Sendable, CustomStringConvertible {
  /// The digest's bytes, eight to a word, first byte highest.
  private let words: SIMD4<UInt64>

  /// The identity of the picture that these settings and these ingredients make.
  ///
  /// It is the SHA-256 of their canonical JSON; see `canonicalJSON`.
  public init(_ parameters: JobParameters, _ ingredients: JobIngredients) {
    self.init(digest: SHA256.hash(data: Self.canonicalJSON(parameters, ingredients)))
  }

  /// The identity written as 64 lower-case hexadecimal digits; nothing for other text.
  public init?(_ hex: some StringProtocol) { self.init(String(hex)) }

  /// The identity written as 64 lower-case hexadecimal digits; nothing for other text.
  public init?(_ hex: String) {
    var words = SIMD4<UInt64>()
    var count = 0
    for byte in hex.utf8 {
      guard count < 64, let digit = Hexadecimal.value(byte), !(UInt8(ascii: "A")...UInt8(ascii: "F") ~= byte) else {
        return nil
      }
      words[count / 16] = words[count / 16] << 4 | UInt64(digit)
      count += 1
    }
    guard count == 64 else { return nil }
    self.words = words
  }

  private init(digest: SHA256Digest) {
    var words = SIMD4<UInt64>()
    for (index, byte) in digest.enumerated() { words[index / 8] = words[index / 8] << 8 | UInt64(byte) }
    self.words = words
  }

  /// 64 lower-case hexadecimal digits.
  public var description: String { prefix(64) }

  /// The first digits of the identity.
  ///
  /// - Parameter count: How many, at most 64.
  /// - Returns: Lower-case hexadecimal digits.
  public func prefix(_ count: Int) -> String {
    String(unsafeUninitializedCapacity: count) { buffer in
      for index in 0..<count {
        buffer[index] = Hexadecimal.digits[Int(words[index / 16] >> UInt64(60 - index % 16 * 4) & 15)]
      }
      return count
    }
  }

  /// The digest is as good as random, so one word of it is enough for hash tables.
  public func hash(into hasher: inout Hasher) { hasher.combine(words[0]) }
}

extension JobID {
  /// What is digested: an object with sorted members, without white space, numbers as Python prints them, text raw.
  ///
  /// It holds neither names nor paths: models stand there by digest. Settings that the sampler does not read are
  /// left out, so that jobs which differ in them only are one picture; the schedule is the one that runs.
  public static func canonicalJSON(_ parameters: JobParameters, _ ingredients: JobIngredients) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      if parameters.inAnyPass(\.discardMatters) { writer.member("always_discard_next_to_last_sigma", true) }
      if parameters.inAnyPass(\.betaMatters) {
        writer.member("beta_dist_alpha", parameters.betaDistAlpha)
        writer.member("beta_dist_beta", parameters.betaDistBeta)
      }
      writer.member("cfg_scale", parameters.cfgScale)
      writer.member("clip_skip", parameters.clipSkip)
      if !ingredients.embeddings.isEmpty {
        writer.key("embeddings")
        writer.array { writer in
          for embedding in ingredients.embeddings { writer.value(.string(embedding.sha256)) }
        }
      }
      if parameters.emphasisMatters { writer.member("emphasis", parameters.emphasis.rawValue) }
      if parameters.inAnyPass(\.quantizationMatters) { writer.member("enable_quantization", true) }
      if parameters.inAnyPass(\.etaMatters) { writer.member("eta", parameters.eta) }
      if parameters.inAnyPass(\.etaDDIMMatters) { writer.member("eta_ddim", parameters.etaDDIM) }
      if parameters.inAnyPass(\.etaNoiseSeedDeltaMatters) {
        writer.member("eta_noise_seed_delta", parameters.etaNoiseSeedDelta)
      }
      if parameters.featureCache != 1 { writer.member("feature_cache", parameters.featureCache) }
      writer.member("height", parameters.height)
      if let hires = parameters.hires { write(hires, parameters, ingredients, to: &writer) }
      writer.member("isa", ingredients.isa)
      if let loras = ingredients.loras { write(loras, to: &writer) }
      writer.member("model", ingredients.model.sha256)
      writer.member("model_family", ingredients.model.family)
      writer.member("negative_prompt", parameters.negativePrompt)
      writer.member("numerics", ingredients.numerics)
      writer.member("precision", ingredients.precision)
      writer.member("prediction_type", parameters.predictionType.rawValue)
      writer.member("prompt", parameters.prompt)
      if let refiner = ingredients.refiner {
        writer.member("refiner_checkpoint", refiner.sha256)
        writer.member("refiner_switch_at", parameters.refinerSwitchAt)
      }
      if parameters.inAnyPass(\.rhoMatters) { writer.member("rho", parameters.rho) }
      writer.member("rng", parameters.rng.rawValue)
      if parameters.inAnyPass(\.churnMatters) { writer.member("s_churn", parameters.sChurn) }
      if parameters.sMinUncond != 0 {
        writer.member("s_min_uncond", parameters.sMinUncond)
        writer.member("s_min_uncond_all", .bool(parameters.sMinUncondAll))
      }
      if parameters.inAnyPass(\.noiseScaleMatters) { writer.member("s_noise", parameters.sNoise) }
      if parameters.inAnyPass(\.churnMatters) {
        writer.member("s_tmax", parameters.sTmax)
        writer.member("s_tmin", parameters.sTmin)
      }
      writer.member("sampler_name", parameters.sampler.rawValue)
      if parameters.scheduleMatters { writer.member("scheduler", parameters.effectiveSchedule.rawValue) }
      if parameters.sdNoiseSchedule != .standard {
        writer.member("sd_noise_schedule", parameters.sdNoiseSchedule.rawValue)
      }
      writer.member("seed", parameters.seed)
      if parameters.seedResizeMatters {
        writer.member("seed_resize_from_h", parameters.seedResizeFromH)
        writer.member("seed_resize_from_w", parameters.seedResizeFromW)
      }
      if parameters.sgmNoiseMultiplierMatters { writer.member("sgm_noise_multiplier", true) }
      if parameters.inAnyPass(\.sigmaRangeMatters) {
        if parameters.sigmaMax != 0 { writer.member("sigma_max", parameters.sigmaMax) }
        if parameters.sigmaMin != 0 { writer.member("sigma_min", parameters.sigmaMin) }
      }
      if parameters.skipEarlyCond != 0 { writer.member("skip_early_cond", parameters.skipEarlyCond) }
      writer.member("steps", parameters.steps)
      if parameters.subseedMatters {
        writer.member("subseed", parameters.subseed)
        writer.member("subseed_strength", parameters.subseedStrength)
      }
      if parameters.tiling { writer.member("tiling", true) }
      if parameters.tokenMergingRatio != 0 { writer.member("token_merging_ratio", parameters.tokenMergingRatio) }
      if parameters.inAnyPass(\.uniPCMatters) {
        writer.member("uni_pc_lower_order_final", .bool(parameters.uniPCLowerOrderFinal))
        writer.member("uni_pc_order", parameters.uniPCOrder)
        writer.member("uni_pc_skip_type", parameters.uniPCSkipType.rawValue)
        writer.member("uni_pc_variant", parameters.uniPCVariant.rawValue)
      }
      if parameters.useDowncastedAlphaBar { writer.member("use_downcasted_alpha_bar", true) }
      if parameters.inAnyPass(\.oldSigmasMatter) { writer.member("use_old_karras_scheduler_sigmas", true) }
      if parameters.timelinesMatter { writer.member("use_old_scheduling", .bool(true)) }
      writer.member("vae", ingredients.vae?.sha256)
      writer.member("vocabulary", ingredients.vocabularySHA256)
      if let packing = ingredients.weightPacking { writer.member("weight_packing", packing) }
      writer.member("width", parameters.width)
    }
    return writer.bytes
  }

  /// What the second pass does, whichever keys say so.
  private static func write(
    _ hires: HiresSettings, _ parameters: JobParameters, _ ingredients: JobIngredients, to writer: inout JSONWriter
  ) {
    guard let size = parameters.hiresSize, let second = parameters.secondPass else { return }
    writer.key("hires")
    writer.object { writer in
      writer.member("columns", size.columns.count)
      writer.member("denoising_strength", hires.denoisingStrength)
      writer.member("first_column", size.columns.lowerBound)
      writer.member("first_row", size.rows.lowerBound)
      writer.member("height", size.height)
      if hires.denoisingStrength > 0 {
        if let loras = ingredients.hiresLoRAs { write(loras, to: &writer) }
      }
      if let model = ingredients.hiresModel { writer.member("model", model.sha256) }
      if hires.denoisingStrength > 0 {
        writer.member("negative_prompt", second.negativePrompt)
        writer.member("prompt", second.prompt)
      }
      if ingredients.refiner != nil { writer.member("refiner_pass", hires.refinerPass.rawValue) }
      writer.member("rows", size.rows.count)
      if hires.denoisingStrength > 0 {
        writer.member("sampler_name", second.sampler.rawValue)
        if second.scheduleMatters { writer.member("scheduler", second.effectiveSchedule.rawValue) }
        writer.member("steps", second.steps)
        if second.tokenMergingRatio != 0 { writer.member("token_merging_ratio", second.tokenMergingRatio) }
      }
      writer.member("upscaler", ingredients.upscaler?.sha256 ?? hires.effectiveUpscaler.name)
      writer.member("width", size.width)
    }
  }

  private static func write(_ loras: [LoRAIdentity], to writer: inout JSONWriter) {
    writer.key("loras")
    writer.array { writer in
      for lora in loras {
        writer.object { writer in
          if let rank = lora.rankLimit { writer.member("rank", rank) }
          writer.member("sha256", lora.sha256)
          writer.member("te", lora.textMultiplier)
          writer.member("unet", lora.unetMultiplier)
        }
      }
    }
  }
}
