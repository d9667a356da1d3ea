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
  public init(_ settings: ImageSettings, _ ingredients: JobIngredients) {
    self.init(digest: SHA256.hash(data: Self.canonicalJSON(settings, ingredients)))
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
  public static func canonicalJSON(_ settings: ImageSettings, _ ingredients: JobIngredients) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      if settings.inAnyPass(\.discardMatters) { writer.member("always_discard_next_to_last_sigma", true) }
      if settings.inAnyPass(\.betaMatters) {
        writer.member("beta_dist_alpha", settings.betaDistAlpha)
        writer.member("beta_dist_beta", settings.betaDistBeta)
      }
      writer.member("cfg_scale", settings.cfgScale)
      writer.member("clip_skip", settings.clipSkip)
      if !ingredients.embeddings.isEmpty {
        writer.key("embeddings")
        writer.array { writer in
          for embedding in ingredients.embeddings { writer.value(.string(embedding.sha256)) }
        }
      }
      if settings.emphasisMatters { writer.member("emphasis", settings.emphasis.rawValue) }
      if settings.inAnyPass(\.quantizationMatters) { writer.member("enable_quantization", true) }
      if settings.inAnyPass(\.etaMatters) { writer.member("eta", settings.eta) }
      if settings.inAnyPass(\.etaDDIMMatters) { writer.member("eta_ddim", settings.etaDDIM) }
      if settings.inAnyPass(\.etaNoiseSeedDeltaMatters) {
        writer.member("eta_noise_seed_delta", settings.etaNoiseSeedDelta)
      }
      if settings.featureCache != 1 { writer.member("feature_cache", settings.featureCache) }
      writer.member("height", settings.height)
      if let hires = settings.hires { write(hires, settings, ingredients, to: &writer) }
      writer.member("isa", ingredients.isa)
      if let loras = ingredients.loras { write(loras, to: &writer) }
      writer.member("model", ingredients.model.sha256)
      writer.member("model_family", ingredients.model.family)
      writer.member("negative_prompt", settings.negativePrompt)
      writer.member("numerics", ingredients.numerics)
      writer.member("precision", ingredients.precision)
      writer.member("prediction_type", settings.predictionType.rawValue)
      writer.member("prompt", settings.prompt)
      if let refiner = ingredients.refiner {
        writer.member("refiner_checkpoint", refiner.sha256)
        writer.member("refiner_switch_at", settings.refinerSwitchAt)
      }
      if settings.inAnyPass(\.rhoMatters) { writer.member("rho", settings.rho) }
      writer.member("rng", settings.rng.rawValue)
      if settings.inAnyPass(\.churnMatters) { writer.member("s_churn", settings.sChurn) }
      if settings.sMinUncond != 0 {
        writer.member("s_min_uncond", settings.sMinUncond)
        writer.member("s_min_uncond_all", .bool(settings.sMinUncondAll))
      }
      if settings.inAnyPass(\.noiseScaleMatters) { writer.member("s_noise", settings.sNoise) }
      if settings.inAnyPass(\.churnMatters) {
        writer.member("s_tmax", settings.sTmax)
        writer.member("s_tmin", settings.sTmin)
      }
      writer.member("sampler_name", settings.sampler.rawValue)
      if settings.scheduleMatters { writer.member("scheduler", settings.effectiveSchedule.rawValue) }
      if settings.sdNoiseSchedule != .standard {
        writer.member("sd_noise_schedule", settings.sdNoiseSchedule.rawValue)
      }
      writer.member("seed", settings.seed)
      if settings.seedResizeMatters {
        writer.member("seed_resize_from_h", settings.seedResizeFromH)
        writer.member("seed_resize_from_w", settings.seedResizeFromW)
      }
      if settings.sgmNoiseMultiplierMatters { writer.member("sgm_noise_multiplier", true) }
      if settings.inAnyPass(\.sigmaRangeMatters) {
        if settings.sigmaMax != 0 { writer.member("sigma_max", settings.sigmaMax) }
        if settings.sigmaMin != 0 { writer.member("sigma_min", settings.sigmaMin) }
      }
      if settings.skipEarlyCond != 0 { writer.member("skip_early_cond", settings.skipEarlyCond) }
      writer.member("steps", settings.steps)
      if settings.subseedMatters {
        writer.member("subseed", settings.subseed)
        writer.member("subseed_strength", settings.subseedStrength)
      }
      if settings.tiling { writer.member("tiling", true) }
      if settings.tokenMergingRatio != 0 { writer.member("token_merging_ratio", settings.tokenMergingRatio) }
      if settings.inAnyPass(\.uniPCMatters) {
        writer.member("uni_pc_lower_order_final", .bool(settings.uniPCLowerOrderFinal))
        writer.member("uni_pc_order", settings.uniPCOrder)
        writer.member("uni_pc_skip_type", settings.uniPCSkipType.rawValue)
        writer.member("uni_pc_variant", settings.uniPCVariant.rawValue)
      }
      if settings.useDowncastedAlphaBar { writer.member("use_downcasted_alpha_bar", true) }
      if settings.inAnyPass(\.oldSigmasMatter) { writer.member("use_old_karras_scheduler_sigmas", true) }
      if settings.timelinesMatter { writer.member("use_old_scheduling", .bool(true)) }
      writer.member("vae", ingredients.vae?.sha256)
      writer.member("vocabulary", ingredients.vocabularySHA256)
      if let packing = ingredients.weightPacking { writer.member("weight_packing", packing) }
      writer.member("width", settings.width)
    }
    return writer.bytes
  }

  /// What the second pass does, whichever keys say so.
  private static func write(
    _ hires: HiresSettings, _ settings: ImageSettings, _ ingredients: JobIngredients, to writer: inout JSONWriter
  ) {
    guard let size = settings.hiresSize, let second = settings.secondPass else { return }
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
