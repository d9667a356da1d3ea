import Tensors
import Weights

/// The sizes of a network of face restoration, read from the shapes of its tensors.
protocol FaceConfiguration: NetworkConfiguration {
  /// Reads the sizes; throws `WeightError` if the shapes are those of no such network.
  init(_ w: WeightScope) throws(WeightError)

  /// The sizes that `inspect` prints.
  var sizes: [(name: String, values: [Int])] { get }

  /// Reads every weight; throws `WeightError`.
  func network(_ w: WeightScope, compute: Compute) throws -> FaceNetwork
}

/// A network of face restoration, with its weights read.
enum FaceNetwork {
  case detector(RetinaFace)
  case parser(ParseNet)
  case restorer(any FaceRestoringNetwork)
}

/// A network that restores a face.
public protocol FaceRestoringNetwork: AnyObject {
  /// Restores a face.
  ///
  /// - Parameters:
  ///   - face: `[1, 512, 512, 3]` in fp32, red first, -1 to 1.
  ///   - weight: How much of the face as it was is kept, from 0 to 1, by networks with such a choice.
  ///   - noise: Makes this many normally distributed numbers, each time the next, for networks that draw with noise.
  /// - Returns: A tensor of the same shape, about -1 to 1.
  func restored(_ face: Tensor, weight: Float, noise: (Int) -> [Float]) -> Tensor
}
