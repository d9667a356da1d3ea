import Settings

/// The passes of an image.
struct ImagePasses {
  let first: ImagePass
  /// nil if the image is not enlarged.
  let second: ImagePass?

  /// The pass whose result is the finished image.
  var last: ImagePass { second ?? first }

  /// The passes in order.
  var all: [ImagePass] { [first] + (second.map { [$0] } ?? []) }
}

/// One pass through the noise levels, with one checkpoint or with two that follow each other.
struct ImagePass {
  /// The settings with the checkpoint that starts the pass.
  let begun: PassSettings
  /// The settings with the refiner, which finishes the pass; nil if there is none.
  let finished: PassSettings?

  /// The settings with each of the checkpoints.
  var all: [PassSettings] { [begun] + (finished.map { [$0] } ?? []) }

  /// The settings with the checkpoint that runs before or after the refiner takes over.
  func settings(isRefining: Bool) -> PassSettings { isRefining ? finished ?? begun : begun }
}
