import Foundation
import Imaging
import Runs
import Sheets

/// Why an animation cannot be made.
struct AnimationError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// An animation of a run's images: of all in their order, or along an axis, where each frame shows the images of one value.
struct AnimationFile {
  /// How frames are stored.
  enum Form: String {
    /// WebP, a tenth of the size of the others.
    case webp
    /// WebP that keeps the pixels exactly.
    case lossless
    /// Animated PNG, which keeps them too.
    case png

    /// The ending of the file's name.
    var ending: String { self == .png ? "png" : "webp" }
  }

  var form = Form.webp
  /// How long each frame is shown.
  var milliseconds = 500

  /// The most frames.
  static let limit = 300
  /// The longest side of an image that is a frame by itself, and of a frame with several.
  private static let (imageSide, sheetSide) = (768, 2048)

  /// The frames: their number, size, and how to make each.
  private struct Frames {
    let count: Int
    let size: (width: Int, height: Int)
    let image: (Int) throws -> RGBImage
  }

  /// Each image as a frame.
  ///
  /// - Parameter cells: Cells with images of one shape.
  /// - Returns: The bytes of the file.
  /// - Throws: `AnimationError`, or why an image cannot be read or written.
  func encoded(_ cells: [SheetCell]) throws -> [UInt8] {
    try encoded(
      Self.frames(
        cells.filter { if case .image = $0.content { true } else { false } }))
  }

  /// The values of an axis as frames, each with all images that have the value.
  ///
  /// - Parameters:
  ///   - cells: The cells.
  ///   - groups: The names of the axes in each zip group of the recipe.
  ///   - options: The layout of a frame with several images, and the axis: `frames`.
  /// - Returns: The bytes of the file.
  /// - Throws: `AnimationError` or `SheetError`, or why an image cannot be read or written.
  func encoded(_ cells: [SheetCell], groups: [[String]], options: SheetOptions) throws -> [UInt8] {
    var options = options
    (options.sideLimit, options.areaLimit) = (Self.sheetSide, Self.sheetSide * Self.sheetSide)
    // One image for each value needs no labels.
    if let single = try ContactSheet.singles(cells, groups: groups, options: options) {
      return try encoded(single)
    }
    let sheet = try ContactSheet(cells, groups: groups, options: options)
    guard sheet.pageCount == sheet.frameCount else {
      throw AnimationError(
        "a frame of \(Self.sheetSide) pixels has no room for all images of one value; hide or filter values of other axes"
      )
    }
    return try encoded(Self.frames(sheet))
  }

  // MARK: Frames

  private static func frames(_ cells: [SheetCell]) throws -> Frames {
    guard let first = cells.first else { throw AnimationError("there are no images to animate") }
    guard cells.allSatisfy({ $0.width * first.height == $0.height * first.width }) else {
      throw AnimationError("images of different shapes cannot be animated; hide or filter some values of an axis")
    }
    let size = Thumbnail.size(width: first.width, height: first.height, box: (imageSide, imageSide))
    return Frames(count: cells.count, size: size) { number in
      guard case .image(let path) = cells[number].content else { throw AnimationError("an image is not made yet") }
      let image = try PictureFile(decoding: FileReader.bytes(of: path)).image
      return Thumbnail.scaled(image, width: size.width, height: size.height)
    }
  }

  /// The pages of a sheet on white, since those with more lines of text are higher.
  private static func frames(_ sheet: ContactSheet) -> Frames {
    let sizes = (0..<sheet.pageCount).map(sheet.size(ofPage:))
    let size = (width: sizes.map(\.width).max() ?? 1, height: sizes.map(\.height).max() ?? 1)
    return Frames(count: sheet.pageCount, size: size) { number in
      sheet.image(ofPage: number).extended(width: size.width, height: size.height)
    }
  }

  // MARK: Files

  private func encoded(_ frames: Frames) throws -> [UInt8] {
    guard frames.count <= Self.limit else {
      throw AnimationError("\(frames.count) frames are too many to animate; take at most \(Self.limit)")
    }
    let (width, height) = frames.size
    if form == .png {
      var animation = PNGAnimation(count: frames.count, width: width, height: height, milliseconds: milliseconds)
      for number in 0..<frames.count { try animation.append(frames.image(number)) }
      return animation.encoded()
    }
    var animation = WebPAnimation(width: width, height: height, milliseconds: milliseconds)
    // Encoding takes most of the time, so frames are encoded together, a few at a time for the sake of memory.
    let isLossless = form == .lossless
    for start in stride(from: 0, to: frames.count, by: 8) {
      let images = try (start..<min(start + 8, frames.count)).map(frames.image)
      let encoded = OrderedWork.all(images.count) { number in
        Result { try WebPAnimation.Frame(images[number], quality: isLossless ? 50 : 90, isLossless: isLossless) }
      }
      for frame in encoded { try animation.append(frame.get()) }
    }
    return animation.encoded()
  }
}

extension RGBImage {
  /// The image with white at the right and below, up to this size.
  fileprivate func extended(width: Int, height: Int) -> RGBImage {
    if width == self.width, height == self.height { return self }
    var pixels = [UInt8](repeating: 255, count: width * height * 3)
    for row in 0..<min(height, self.height) {
      let count = min(width, self.width) * 3
      pixels.replaceSubrange(
        row * width * 3..<row * width * 3 + count,
        with: self.pixels[row * self.width * 3..<row * self.width * 3 + count])
    }
    return RGBImage(width: width, height: height, pixels: pixels)
  }
}
