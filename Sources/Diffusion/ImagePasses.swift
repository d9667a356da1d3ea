import Settings

/// The passes that an image is made in.
struct ImagePasses {
  let first: ImagePass
  /// Nothing for an image that is not enlarged.
  let second: ImagePass?

  /// The one that the finished image comes of.
  var last: ImagePass { second ?? first }

  /// In their order.
  var all: [ImagePass] { [first] + (second.map { [$0] } ?? []) }
}

/// One way through the noise levels, by one checkpoint or by two that follow each other.
struct ImagePass {
  /// The settings, with the checkpoint that begins.
  let begun: ImageSettings
  /// The settings as the checkpoint has them that finishes, the refiner; nothing where one does it all.
  let finished: ImageSettings?

  /// The settings with each of the checkpoints.
  var all: [ImageSettings] { [begun] + (finished.map { [$0] } ?? []) }

  /// The settings with the checkpoint that runs before or after the change.
  func settings(isRefining: Bool) -> ImageSettings { isRefining ? finished ?? begun : begun }
}
