import Settings

/// The passes that an image is made in.
struct ImagePasses {
  let first: ImagePass
  /// Nil if the image is not enlarged.
  let second: ImagePass?

  /// The pass that the finished image comes from.
  var last: ImagePass { second ?? first }

  /// In their order.
  var all: [ImagePass] { [first] + (second.map { [$0] } ?? []) }
}

/// One way through the noise levels, by one checkpoint or by two that follow each other.
struct ImagePass {
  /// The settings with the checkpoint that begins.
  let begun: PassSettings
  /// The settings with the refiner, which finishes; nil without one.
  let finished: PassSettings?

  /// The settings with each of the checkpoints.
  var all: [PassSettings] { [begun] + (finished.map { [$0] } ?? []) }

  /// The settings with the checkpoint that runs before or after the refiner takes over.
  func settings(isRefining: Bool) -> PassSettings { isRefining ? finished ?? begun : begun }
}
