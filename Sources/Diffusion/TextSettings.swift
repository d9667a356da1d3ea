import Settings
import Weights

/// What besides its text decides what a prompt becomes for the UNet.
struct TextSettings: Hashable {
  /// 1 for the text encoder's last layer.
  var clipSkip: Int
  /// What weights do.
  var emphasis: EmphasisChoice
  /// Of the image, in pixels.
  var width: Int
  /// Of the image, in pixels.
  var height: Int
  /// Whether guidance steers away from the prompt.
  var isNegative = false

  /// The settings of a job's prompt.
  init(_ job: ImageSettings) {
    clipSkip = job.clipSkip
    emphasis = job.emphasis
    width = job.width
    height = job.height
  }

  /// The same, of a prompt to steer away from.
  var negative: TextSettings {
    var settings = self
    settings.isNegative = true
    return settings
  }

  /// The settings without what a family does not ask for.
  func reduced(for family: ModelFamily) -> TextSettings {
    guard family.vector.isEmpty, !family.zeroesEmptyNegative else { return self }
    var settings = self
    settings.width = 0
    settings.height = 0
    settings.isNegative = false
    return settings
  }
}

extension ModelFamily.VectorPart {
  /// The numbers that the UNet is told, as the webui tells them.
  func numbers(_ settings: TextSettings) -> [Float] {
    switch self {
    case .pooledText: []
    case .originalSize, .targetSize: [Float(settings.height), Float(settings.width)]
    case .cropTopLeft: [0, 0]
    case .aestheticScore: [settings.isNegative ? 2.5 : 6]
    }
  }
}
