import Tensors
import Weights

/// The latents that FLUX.2 samples: squares of a VAE's pixels as one pixel, with each channel normalised by fixed statistics.
/// TAEF2 decodes them as they are normalised.
struct PackedLatents {
  private let side: Int
  private let mean: [Float]
  private let deviation: [Float]

  /// Reads `bn.running_mean` and `bn.running_var`.
  ///
  /// - Parameters:
  ///   - w: The VAE's weights.
  ///   - packing: How pixels are packed.
  ///   - channels: Channels of a packed pixel.
  /// - Throws: `WeightError`.
  init(_ w: WeightScope, _ packing: LatentPacking, channels: Int) throws {
    side = packing.side
    mean = try w["bn"].floats("running_mean", shape: [channels])
    let variance = try w["bn"].floats("running_var", shape: [channels])
    guard variance.allSatisfy({ $0 >= 0 }) else {
      throw WeightError.file(.damaged(path: w.store.path, reason: "bn.running_var has numbers below 0"))
    }
    deviation = variance.map { ($0 + packing.epsilon).squareRoot() }
  }

  /// Without statistics.
  ///
  /// - Parameters:
  ///   - packing: How pixels are packed.
  ///   - channels: Channels of a packed pixel.
  init(_ packing: LatentPacking, channels: Int) {
    side = packing.side
    mean = Array(repeating: 0, count: channels)
    deviation = Array(repeating: 1, count: channels)
  }

  /// The VAE's latent: channel 4c + 2y + x of a pixel becomes channel c of the pixel (y, x) in its square.
  func unpacked(_ latent: Tensor, _ compute: Compute) -> Tensor {
    let squares = side * side
    let channels = latent.channels / squares
    let y = compute.tensor(batch: 1, height: side * latent.height, width: side * latent.width, channels: channels)
    for row in 0..<y.height {
      for column in 0..<y.width {
        let source = latent.pixel(0, row / side, column / side)
        let (target, offset) = (y.pixel(0, row, column), row % side * side + column % side)
        for c in 0..<channels {
          let from = squares * c + offset
          target[c] = source[from] * deviation[from] + mean[from]
        }
      }
    }
    return y
  }

  /// The reverse; rows and columns that are left over are dropped.
  func packed(_ latent: Tensor, _ compute: Compute) -> Tensor {
    let squares = side * side
    let y = compute.tensor(
      batch: 1, height: latent.height / side, width: latent.width / side, channels: squares * latent.channels)
    for row in 0..<side * y.height {
      for column in 0..<side * y.width {
        let source = latent.pixel(0, row, column)
        let (target, offset) = (y.pixel(0, row / side, column / side), row % side * side + column % side)
        for c in 0..<latent.channels {
          let to = squares * c + offset
          target[to] = (source[c] - mean[to]) / deviation[to]
        }
      }
    }
    return y
  }
}
