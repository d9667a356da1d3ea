import Settings
import TestSupport

/// Settings drawn at random, all of them at once.
struct RandomParameters {
  private var generator: SplitMix64

  init(seed: UInt64) { generator = SplitMix64(state: seed) }

  private static let texts = [
    "", "a red fish", "a (cat:1.3), [dog], \\(x\\)", "two\nlines, (b)", "[a:b:0.5] AND [c|d]:0.7", "\"quoted\"",
    "日本 🐟 “x”",
    "Steps: 1, Sampler: x, Size: 2x3", "x, Version: v1.0.0", "e\u{301} \\", "a\n\n# b",
  ]

  mutating func next(_ sampler: SamplerID) -> JobParameters {
    var parameters = JobParameters()
    parameters.sampler = sampler
    parameters.prompt = pick(Self.texts)
    parameters.negativePrompt = pick(Self.texts)
    parameters.emphasis = pick(EmphasisChoice.allCases)
    parameters.timelines = pick([.current, .old])
    parameters.seed = pick([0, 1, 4_294_967_295, 1 << 53 + 1, .max])
    parameters.steps = pick([1, 7, 20, 36, 150])
    parameters.cfgScale = number(0, 30)
    parameters.scheduler = pick(ScheduleID.allCases)
    parameters.width = 8 * pick([1, 9, 64, 1024])
    parameters.height = 8 * pick([1, 13, 96])
    parameters.rng = pick(NoiseSourceID.allCases)
    parameters.clipSkip = pick([1, 2, 12])
    parameters.eta = pick([1, 0, number(0, 1)])
    parameters.sChurn = pick([0, number(0, 40)])
    parameters.sTmin = pick([0, number(0, 1)])
    parameters.sTmax = pick([nil, number(1, 15)])
    parameters.sNoise = pick([1, number(0.9, 1.1), 1e-5])
    parameters.refinerSwitchAt = number(0, 1)
    parameters.predictionType = pick(PredictionChoice.allCases)
    parameters.subseed = pick([0, 5, .max])
    parameters.subseedStrength = pick([0, 1, number(0, 1)])
    parameters.seedResizeFromW = pick([-1, 0, 64, 517])
    parameters.seedResizeFromH = pick([-1, 64, 517])
    parameters.etaNoiseSeedDelta = pick([0, 31337, -2])
    parameters.etaDDIM = pick([0, 1, number(0, 1)])
    parameters.uniPCVariant = pick(UniPCVariant.allCases)
    parameters.uniPCSkipType = pick(UniPCSkipType.allCases)
    parameters.uniPCOrder = pick([3, 1, 2, 5])
    parameters.uniPCLowerOrderFinal = pick([true, false])
    parameters.alwaysDiscardNextToLastSigma = pick([true, false])
    parameters.sgmNoiseMultiplier = pick([true, false])
    parameters.sigmaMin = pick([0, number(0.01, 1)])
    parameters.sigmaMax = pick([0, number(2, 20)])
    parameters.rho = pick([0, 1, 7, number(1, 9)])
    parameters.betaDistAlpha = pick([0.6, number(0.1, 2)])
    parameters.betaDistBeta = pick([0.6, number(0.1, 2)])
    parameters.useOldKarrasSchedulerSigmas = pick([true, false])
    parameters.sdNoiseSchedule = pick(TrainingNoiseChoice.allCases)
    parameters.useDowncastedAlphaBar = pick([true, false])
    parameters.enableQuantization = pick([true, false])
    parameters.sMinUncond = pick([0, number(0, 15)])
    parameters.sMinUncondAll = pick([true, false])
    parameters.skipEarlyCond = pick([0, number(0, 1)])
    parameters.featureCache = pick([1, 2, 5])
    parameters.tiling = pick([false, true])
    parameters.tokenMergingRatio = pick([0, 0.5, 0.9])
    parameters.memoryLimit = pick([0, 5 << 29])
    if pick([true, false]) { parameters.hires = nextHires() }
    return parameters
  }

  private mutating func nextHires() -> HiresSettings {
    var hires = HiresSettings()
    hires.scale = pick([2, 1.5, number(1, 4)])
    hires.resizeX = pick([0, 0, 700])
    hires.resizeY = pick([0, 0, 512])
    hires.upscaler = pick(
      [nil, UpscalerReference(name: "R-ESRGAN 4x+"), UpscalerReference(name: "4x UltraSharp, v2")]
        + LatentFilter.allCases.map { UpscalerReference(name: $0.rawValue) }
        + PixelFilter.allCases.map { UpscalerReference(name: $0.rawValue) })
    hires.steps = pick([0, 1, 15])
    hires.denoisingStrength = pick([0, 0.7, 1, number(0, 1)])
    hires.sampler = pick([nil, .euler, .dpmPP2M, .ddim, .dpmPPSDE])
    hires.scheduler = pick([nil, .automatic, .karras, .uniform])
    hires.prompt = pick(Self.texts)
    hires.negativePrompt = pick(Self.texts)
    hires.tokenMergingRatio = pick([0, 0.3])
    return hires
  }

  private mutating func pick<Value>(_ values: [Value]) -> Value {
    values[Int.random(in: 0..<values.count, using: &generator)]
  }

  /// Of any length in decimals.
  private mutating func number(_ low: Double, _ high: Double) -> Double {
    let number = Double.random(in: low...high, using: &generator)
    return Bool.random(using: &generator) ? number : (number * 100).rounded() / 100
  }
}
