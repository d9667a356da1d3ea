import Settings
import TestSupport

/// Random settings, in which every setting varies.
struct RandomSettings {
  private var generator: SplitMix64

  init(seed: UInt64) { generator = SplitMix64(state: seed) }

  private static let texts = [
    "", "a red fish", "a (cat:1.3), [dog], \\(x\\)", "two\nlines, (b)", "[a:b:0.5] AND [c|d]:0.7", "\"quoted\"",
    "日本 🐟 “x”",
    "Steps: 1, Sampler: x, Size: 2x3", "x, Version: v1.0.0", "e\u{301} \\", "a\n\n# b",
  ]

  mutating func next(_ sampler: SamplerID) -> ImageSettings {
    var settings = ImageSettings()
    settings.sampler = sampler
    settings.prompt = pick(Self.texts)
    settings.negativePrompt = pick(Self.texts)
    settings.emphasis = pick(EmphasisChoice.allCases)
    settings.timelines = pick([.current, .old])
    settings.seed = pick([0, 1, 4_294_967_295, 1 << 53 + 1, .max])
    settings.steps = pick([1, 7, 20, 36, 150])
    settings.cfgScale = number(0, 30)
    settings.scheduler = pick(ScheduleID.allCases)
    settings.width = 8 * pick([1, 9, 64, 1024])
    settings.height = 8 * pick([1, 13, 96])
    settings.rng = pick(NoiseSourceID.allCases)
    settings.clipSkip = pick([1, 2, 12])
    settings.eta = pick([1, 0, number(0, 1)])
    settings.sChurn = pick([0, number(0, 40)])
    settings.sTmin = pick([0, number(0, 1)])
    settings.sTmax = pick([nil, number(1, 15)])
    settings.sNoise = pick([1, number(0.9, 1.1), 1e-5])
    settings.refinerSwitchAt = number(0, 1)
    settings.predictionType = pick(PredictionChoice.allCases)
    settings.subseed = pick([0, 5, .max])
    settings.subseedStrength = pick([0, 1, number(0, 1)])
    settings.seedResizeFromW = pick([-1, 0, 64, 517])
    settings.seedResizeFromH = pick([-1, 64, 517])
    settings.etaNoiseSeedDelta = pick([0, 31337, -2])
    settings.etaDDIM = pick([0, 1, number(0, 1)])
    settings.uniPCVariant = pick(UniPCVariant.allCases)
    settings.uniPCSkipType = pick(UniPCSkipType.allCases)
    settings.uniPCOrder = pick([3, 1, 2, 5])
    settings.uniPCLowerOrderFinal = pick([true, false])
    settings.alwaysDiscardNextToLastSigma = pick([true, false])
    settings.sgmNoiseMultiplier = pick([true, false])
    settings.sigmaMin = pick([0, number(0.01, 1)])
    settings.sigmaMax = pick([0, number(2, 20)])
    settings.rho = pick([0, 1, 7, number(1, 9)])
    settings.betaDistAlpha = pick([0.6, number(0.1, 2)])
    settings.betaDistBeta = pick([0.6, number(0.1, 2)])
    settings.useOldKarrasSchedulerSigmas = pick([true, false])
    settings.sdNoiseSchedule = pick(TrainingNoiseChoice.allCases)
    settings.useDowncastedAlphaBar = pick([true, false])
    settings.enableQuantization = pick([true, false])
    settings.sMinUncond = pick([0, number(0, 15)])
    settings.sMinUncondAll = pick([true, false])
    settings.skipEarlyCond = pick([0, number(0, 1)])
    settings.featureCache = pick([1, 2, 5])
    settings.featureForecast = pick([1, 2, 5])
    let intervals = [.whole, PassInterval(0, number(0.5, 1)), PassInterval(number(0, 0.5), 1)]
    settings.guidanceInterval = pick(intervals) ?? .whole
    settings.cfgRescale = pick([0, 0.7, number(0, 1)])
    settings.apgEta = pick([1, 0, number(-1, 1)])
    settings.apgNormThreshold = pick([0, number(1, 20)])
    settings.apgMomentum = pick([0, -0.5])
    settings.tiling = pick([false, true])
    settings.tokenMergingRatio = pick([0, 0.5, 0.9])
    settings.restoreFaces = pick([false, true])
    if settings.restoreFaces { settings.faceRestorationModel = pick(FaceRestorationModel.allCases) }
    settings.memoryLimit = pick([0, 5 << 29])
    if pick([true, false]) { settings.hires = nextHires() }
    return settings
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
    hires.extraNoise = pick([0, 0.3])
    hires.sampler = pick([nil, .euler, .dpmPP2M, .ddim, .dpmPPSDE])
    hires.scheduler = pick([nil, .automatic, .karras, .uniform])
    hires.prompt = pick(Self.texts)
    hires.negativePrompt = pick(Self.texts)
    hires.tokenMergingRatio = pick([0, 0.3])
    hires.featureForecast = pick([0, 1, 3])
    hires.cfgRescale = pick([nil, 0, 0.4])
    hires.apgEta = pick([nil, 1, 0.2])
    hires.apgNormThreshold = pick([nil, 0, 2.5])
    hires.apgMomentum = pick([nil, 0, 0.5])
    hires.guidanceInterval = pick([nil, .whole, PassInterval(0.1, 0.9)])
    return hires
  }

  private mutating func pick<Value>(_ values: [Value]) -> Value {
    values[Int.random(in: 0..<values.count, using: &generator)]
  }

  /// A number with any number of decimals.
  private mutating func number(_ low: Double, _ high: Double) -> Double {
    let number = Double.random(in: low...high, using: &generator)
    return Bool.random(using: &generator) ? number : (number * 100).rounded() / 100
  }
}
