import Foundation

/// The noise schedule that a model was trained with.
public struct TrainingNoise: Hashable, Sendable {
  /// ᾱ of each of the 1000 timesteps, before any stretching; nil for the schedule of Stable Diffusion.
  public let alphasCumprod: [Double]?
  /// Whether the last timestep is pure noise: Lin et al. 2023, arXiv:2305.08891.
  public var hasZeroTerminalSNR = false
  /// The name in the files, for messages and image ids; nil for the schedule of Stable Diffusion.
  public let title: String?

  /// The schedule of Stable Diffusion.
  static let standard = TrainingNoise(alphasCumprod: nil, title: nil)

  /// The number of timesteps that samplers count.
  static let timesteps = 1000

  /// How β grows from the first timestep to the last.
  enum Growth: String {
    case linear
    /// The square root of β is linear.
    case scaledLinear = "scaled_linear"
    case squaredCosine = "squaredcos_cap_v2"
    case sigmoid
    /// β is the square root of a linear function.
    case root = "sqrt"
  }

  private init(alphasCumprod: [Double]?, title: String?) {
    self.alphasCumprod = alphasCumprod
    self.title = title
  }

  /// Creates a schedule from its β, one for each timestep, as in `betas`.
  init(betas: [Double], title: String) {
    var product = 1.0
    let alphas = betas.map { beta in
      product *= 1 - beta
      return product
    }
    self.init(alphasCumprod: alphas, title: title)
  }

  /// Creates a schedule whose β grows from `start` to `end`. Source: the schedulers of the diffusers library.
  init(_ growth: Growth, start: Double, end: Double) {
    if growth == .scaledLinear, start == 0.00085, end == 0.012 {
      self = .standard
      return
    }
    func grow(_ first: Double, _ last: Double, _ index: Int) -> Double {
      first + (last - first) * Double(index) / Double(Self.timesteps - 1)
    }
    let betas = (0..<Self.timesteps).map { index -> Double in
      switch growth {
      case .linear: return grow(start, end, index)
      case .scaledLinear:
        let root = grow(start.squareRoot(), end.squareRoot(), index)
        return root * root
      case .squaredCosine:
        func level(_ time: Double) -> Double {
          let cosine = cos((time + 0.008) / 1.008 * .pi / 2)
          return cosine * cosine
        }
        let steps = Double(Self.timesteps)
        return min(1 - level(Double(index + 1) / steps) / level(Double(index) / steps), 0.999)
      case .sigmoid: return 1 / (1 + exp(-grow(-6, 6, index))) * (end - start) + start
      case .root: return grow(start, end, index).squareRoot()
      }
    }
    self.init(
      betas: betas,
      title: growth == .squaredCosine ? growth.rawValue : "\(growth.rawValue) from \(start) to \(end)")
  }

  /// Whether the ᾱ descend and are all above 0, so that each timestep has a noise level.
  var isUsable: Bool {
    guard let alphasCumprod else { return true }
    return alphasCumprod.count == Self.timesteps && alphasCumprod.allSatisfy { $0 > 1e-30 && $0 < 1 }
      && zip(alphasCumprod, alphasCumprod.dropFirst()).allSatisfy { $0 > $1 }
  }
}
