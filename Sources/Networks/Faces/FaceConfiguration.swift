import Tensors
import Weights

/// The sizes of a network for face restoration, read from the shapes of its tensors.
protocol FaceConfiguration: NetworkConfiguration {
  /// Reads the sizes; throws `WeightError` if the shapes do not belong to such a network.
  init(_ w: WeightScope) throws(WeightError)

  /// The sizes that `inspect` prints.
  var sizes: [(name: String, values: [Int])] { get }

  /// Reads all weights; throws `WeightError`.
  func network(_ w: WeightScope, compute: Compute) throws -> FaceNetwork
}

/// A network for face restoration whose weights have been read.
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
  ///   - weight: How much of the original face is kept, from 0 to 1, for networks that allow a choice.
  ///   - noise: Returns the next normally distributed numbers, this many, for networks that use noise.
  /// - Returns: A tensor of the same shape, about -1 to 1.
  func restored(_ face: Tensor, weight: Float, noise: (Int) -> [Float]) -> Tensor
}
