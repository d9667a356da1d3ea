import Imaging
import Networks
import Sampling
import Settings
import Tensors

/// Restores the faces of images as the webui does: finds them, cuts each one out upright, restores it, and puts it back; what
/// is around the face does not change.
public final class FaceRestorer {
  private let detector: FaceDetector
  private let mask: FaceMask
  private let network: any FaceRestoringNetwork
  private let compute: Compute

  /// How faces are restored.
  public struct Options {
    /// How much of the original face CodeFormer keeps: 0 for the least, 1 for the most. GFPGAN has no such setting.
    public var codeFormerWeight: Float
    /// Returns the next normally distributed random numbers for GFPGAN, this many.
    public var noise: (Int) -> [Float]

    /// Creates options with the numbers of a seed: those that the webui's generator returns after the image's own noise was
    /// seeded. They continue from face to face.
    public init(codeFormerWeight: Double, seed: Int64, source: NoiseSourceID) {
      let numbers = SharedNormals(SeedNormals(seed: seed, source: source))
      self.init(codeFormerWeight: Float(codeFormerWeight)) { numbers.next($0) }
    }

    /// Creates options.
    public init(codeFormerWeight: Float, noise: @escaping (Int) -> [Float]) {
      self.codeFormerWeight = codeFormerWeight
      self.noise = noise
    }
  }

  /// The progress of the work.
  public enum Progress: Hashable, Sendable {
    /// The program is looking for faces.
    case detecting
    /// A face is being restored; its index, from 0, and the number of faces.
    case restoring(face: Int, of: Int)
  }

  /// The side of a face that is cut out, in pixels.
  static let side = 512
  /// Where the eyes, the nose and the corners of the mouth are in it.
  static let template: [(x: Float, y: Float)] = [
    (192.98138, 239.94708), (318.90277, 240.1936), (256.63416, 314.01935), (201.26117, 371.41043),
    (313.08905, 371.15118),
  ]
  /// What is beyond the edges of the image in a face that is cut out.
  static let border: (UInt8, UInt8, UInt8) = (132, 133, 135)

  /// Creates a restorer; it reads all weights.
  ///
  /// - Parameters:
  ///   - files: The three networks.
  ///   - compute: The machine to use; the precision is always fp32.
  /// - Throws: `WeightError`.
  public init(_ files: FaceRestorerFiles, compute: Compute) throws {
    let compute = compute.with(.fp32)
    self.compute = compute
    detector = FaceDetector(network: try files.detector.readDetector(compute), compute: compute)
    mask = FaceMask(network: try files.parser.readParser(compute), compute: compute)
    network = try files.restorer.readRestorer(compute)
  }

  /// Creates a restorer for the threads of this machine.
  ///
  /// - Parameters:
  ///   - files: The three networks.
  ///   - threads: The number of threads to compute with.
  /// - Throws: `WeightError`, or `TensorError` if `SDBATCH_ISA` names an instruction set that this machine lacks.
  public convenience init(_ files: FaceRestorerFiles, threads: Int) throws {
    try self.init(files, compute: Compute(kernels: try Kernels.forThisMachine(), threadCount: threads))
  }

  /// Restores the faces of an image.
  ///
  /// - Parameters:
  ///   - image: The image.
  ///   - options: The options.
  ///   - progress: Called before each part of the work; what it throws ends it.
  /// - Returns: The image, and how many faces were restored. Without a face, the image has the same bits.
  /// - Throws: The error of `progress`.
  public func restored(
    _ image: RGBImage, _ options: Options, progress: (Progress) throws -> Void = { _ in }
  ) throws -> (image: RGBImage, faces: Int) {
    try progress(.detecting)
    // The buffers of the parts have different sizes, so keeping them all would only raise the peak.
    defer { compute.workspace.trim() }
    let maps = detector.faces(image).compactMap { AffineMap.similarity(from: $0.points, to: Self.template) }
    compute.workspace.trim()
    var patches: [Patch] = []
    for (number, map) in maps.enumerated() {
      try progress(.restoring(face: number, of: maps.count))
      let crop = image.warped(
        by: map, width: Self.side, height: Self.side, border: Self.border, parallel: compute.pool.run)
      let face = FaceTensor.image(
        network.restored(
          FaceTensor.tensor(crop, compute), weight: options.codeFormerWeight, noise: options.noise))
      compute.workspace.trim()
      patches.append(Patch(face: face, mask: mask.mask(face), map: map.inverse, image: image))
      compute.workspace.trim()
    }
    return (Self.pasted(patches, on: image, compute), patches.count)
  }

  // MARK: Pasting

  /// A restored face, and its position.
  private struct Patch {
    let face: RGBImage
    let mask: NumberPlane
    let warp: AffineWarp
    let columns: Range<Int>
    let rows: Range<Int>

    init(face: RGBImage, mask: NumberPlane, map: AffineMap, image: RGBImage) {
      (self.face, self.mask) = (face, mask)
      warp = AffineWarp(map, width: image.width)
      let side = Double(FaceRestorer.side)
      let corners = [map(0, 0), map(side, 0), map(0, side), map(side, side)]
      func range(_ values: [Double], _ count: Int) -> Range<Int> {
        func index(_ value: Double) -> Int { value.isFinite ? Int(min(max(value, 0), Double(count))) : 0 }
        let first = index((values.min() ?? 0) - 2)
        return first..<max(index((values.max() ?? 0) + 3), first)
      }
      columns = range(corners.map(\.x), image.width)
      rows = range(corners.map(\.y), image.height)
    }
  }

  /// Draws the faces on an image, one after the other, in double precision from the first to the last.
  private static func pasted(_ patches: [Patch], on image: RGBImage, _ compute: Compute) -> RGBImage {
    var result = image
    let width = image.width
    result.pixels.withUnsafeMutableBufferPointer { pixels in
      guard let pixels = pixels.baseAddress else { return }
      compute.pool.run(image.height) { y in
        let here = patches.filter { $0.rows.contains(y) && !$0.columns.isEmpty }
        guard let left = here.map(\.columns.lowerBound).min(), let right = here.map(\.columns.upperBound).max() else {
          return
        }
        let row = pixels + (y * width + left) * 3
        var canvas = (0..<(right - left) * 3).map { Double(row[$0]) }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: (right - left) * 3) { face in
          withUnsafeTemporaryAllocation(of: Double.self, capacity: right - left) { mask in
            guard let face = face.baseAddress, let mask = mask.baseAddress else { return }
            for patch in here {
              patch.warp.draw(patch.face, row: y, columns: patch.columns, into: face)
              patch.warp.draw(patch.mask, row: y, columns: patch.columns, into: mask)
              for x in 0..<patch.columns.count where mask[x] != 0 {
                let at = (patch.columns.lowerBound - left + x) * 3
                for c in 0..<3 {
                  canvas[at + c] = mask[x] * Double(face[x * 3 + c]) + (1 - mask[x]) * canvas[at + c]
                }
              }
            }
          }
        }
        for i in 0..<canvas.count { row[i] = UInt8(min(max(canvas[i], 0), 255)) }
      }
    }
    return result
  }
}

/// Numbers that several calls of one closure draw from.
private final class SharedNormals {
  private var numbers: SeedNormals

  init(_ numbers: SeedNormals) { self.numbers = numbers }

  func next(_ count: Int) -> [Float] { numbers.next(count) }
}
