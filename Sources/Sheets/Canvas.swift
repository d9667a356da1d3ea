import Imaging

/// A strip of a sheet. It is drawn in memory and then written.
struct Canvas {
  /// Red, green and blue, 0...255.
  struct Color: Hashable {
    var red: UInt8
    var green: UInt8
    var blue: UInt8

    static let paper = Color(red: 255, green: 255, blue: 255)
    static let ink = Color(red: 28, green: 30, blue: 36)
    static let faint = Color(red: 112, green: 118, blue: 130)
    static let pending = Color(red: 236, green: 238, blue: 242)
    static let failed = Color(red: 252, green: 226, blue: 224)
    static let failedInk = Color(red: 150, green: 30, blue: 24)
  }

  let width: Int
  let height: Int
  /// `[height, width, 3]`.
  private(set) var pixels: [UInt8]

  /// Creates a blank strip.
  init(width: Int, height: Int) {
    self.width = width
    self.height = height
    pixels = [UInt8](repeating: 255, count: width * height * 3)
  }

  /// Fills a rectangle, which must be inside the strip.
  mutating func fill(x: Int, y: Int, width: Int, height: Int, _ color: Color) {
    for row in y..<y + height {
      for column in x..<x + width { set(color, (row * self.width + column) * 3) }
    }
  }

  /// Draws an image; what is outside is left out, since a file may have another size than its job says.
  mutating func put(_ image: RGBImage, x: Int, y: Int) {
    let columns = max(0, -x)..<max(max(0, -x), min(image.width, width - x))
    for row in max(0, -y)..<max(max(0, -y), min(image.height, height - y)) {
      let (from, to) = ((row * image.width + columns.lowerBound) * 3, ((y + row) * width + x + columns.lowerBound) * 3)
      pixels.replaceSubrange(to..<to + columns.count * 3, with: image.pixels[from..<from + columns.count * 3])
    }
  }

  /// Blends a colour into a pixel; pixels outside are ignored.
  mutating func blend(_ color: Color, coverage: UInt8, x: Int, y: Int) {
    guard coverage > 0, x >= 0, x < width, y >= 0, y < height else { return }
    let index = (y * width + x) * 3
    let (new, old) = (Int(coverage), 255 - Int(coverage))
    for (channel, value) in [color.red, color.green, color.blue].enumerated() {
      pixels[index + channel] = UInt8((Int(value) * new + Int(pixels[index + channel]) * old + 127) / 255)
    }
  }

  /// Blends blue, green, red and coverage into a pixel, with colours that are already multiplied by the coverage. Pixels
  /// outside are ignored.
  mutating func blend(premultiplied pixel: ArraySlice<UInt8>, x: Int, y: Int) {
    guard x >= 0, x < width, y >= 0, y < height, let coverage = pixel.last, coverage > 0 else { return }
    let index = (y * width + x) * 3
    for channel in 0..<3 {
      let new = Int(pixel[pixel.startIndex + 2 - channel])
      pixels[index + channel] = UInt8(min(255, new + Int(pixels[index + channel]) * (255 - Int(coverage)) / 255))
    }
  }

  private mutating func set(_ color: Color, _ index: Int) {
    pixels[index] = color.red
    pixels[index + 1] = color.green
    pixels[index + 2] = color.blue
  }
}
