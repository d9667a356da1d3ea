import Settings

/// The settings that a prompt's context depends on, besides its text.
struct TextSettings: Hashable {
  /// 1 for the text encoder's last layer.
  var clipSkip: Int
  /// How weights are applied.
  var emphasis: EmphasisChoice
  /// The width of the image in pixels.
  var width: Int
  /// The height of the image in pixels.
  var height: Int
  /// Whether this is the negative prompt.
  var isNegative = false

  /// The settings of a job's prompt.
  init(_ job: PassSettings) {
    clipSkip = job.traits.prompts.readsClipSkip ? job.clipSkip : 1
    emphasis = job.effectiveEmphasis
    width = job.width
    height = job.height
  }

  /// The same for a negative prompt.
  var negative: TextSettings {
    var settings = self
    settings.isNegative = true
    return settings
  }
}
