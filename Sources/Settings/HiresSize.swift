/// The size that the first pass is enlarged to, and the part that is kept.
///
/// Sizes are rounded as in the webui: fractions of pixels are dropped, and sides of latents are an eighth of the image's,
/// rounded down. For families that need other multiples, sides are rounded down to those.
public struct HiresSize: Hashable, Sendable {
  /// The width in pixels before cropping; often not a multiple of 8.
  public var width: Int
  /// The height in pixels before cropping.
  public var height: Int
  /// The latent columns that are kept.
  public var columns: Range<Int>
  /// The latent rows that are kept.
  public var rows: Range<Int>

  /// Image pixels per latent pixel, along each side.
  public let pixelsPerPlace: Int

  /// The image's width in pixels.
  public var finalWidth: Int { pixelsPerPlace * columns.count }
  /// The image's height in pixels.
  public var finalHeight: Int { pixelsPerPlace * rows.count }

  /// Computes the size of the second pass.
  ///
  /// - Parameters:
  ///   - hires: The second pass. If it gives both sides, the image is enlarged to cover them and then cropped.
  ///   - firstWidth: The first pass's width in pixels.
  ///   - firstHeight: The first pass's height in pixels.
  ///   - geometry: The geometry of the latents that are sampled in the second pass.
  public init(
    _ hires: HiresSettings, firstWidth: Int, firstHeight: Int,
    geometry: LatentGeometry = FamilyID.stableDiffusion.traits.geometry
  ) {
    let multiple = geometry.sizeMultiple
    pixelsPerPlace = geometry.pixelsPerPlace
    let (x, y) = (hires.resizeX, hires.resizeY)
    var surplus = (x: 0, y: 0)
    switch (x, y) {
    case (0, 0):
      width = Int(Double(firstWidth) * hires.scale)
      height = Int(Double(firstHeight) * hires.scale)
    case (_, 0): (width, height) = (x, x * firstHeight / firstWidth)
    case (0, _): (width, height) = (y * firstWidth / firstHeight, y)
    default:
      let isNarrower = Double(firstWidth) / Double(firstHeight) < Double(x) / Double(y)
      (width, height) = isNarrower ? (x, x * firstHeight / firstWidth) : (y * firstWidth / firstHeight, y)
      surplus = ((width - x) / multiple, (height - y) / multiple)
    }
    let step = multiple / pixelsPerPlace
    columns = Self.middle(width / multiple, without: surplus.x, step)
    rows = Self.middle(height / multiple, without: surplus.y, step)
  }

  /// The latent pixels in the middle. Lengths count multiples of the image's sides; each multiple has `step` latent pixels.
  private static func middle(_ length: Int, without surplus: Int, _ step: Int) -> Range<Int> {
    let start = min(surplus / 2, length)
    return start * step..<max(start, length - (surplus + 1) / 2) * step
  }
}

extension HiresSize {
  /// The size of the first pass that the webui's first versions chose for an image: about 512x512 pixels, in multiples
  /// of 64.
  public static func legacyFirstPass(width: Int, height: Int) -> (width: Int, height: Int) {
    let scale = (512.0 * 512 / Double(width * height)).squareRoot()
    func side(_ side: Int) -> Int { Int((scale * Double(side) / 64).rounded(.up)) * 64 }
    return (side(width), side(height))
  }
}
