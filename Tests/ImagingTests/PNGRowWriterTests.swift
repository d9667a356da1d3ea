import Imaging
import Testing

/// Files written row by row, read back through libpng.
@Suite struct PNGRowWriterTests {
  /// Pixels with smooth areas, hard edges and noise, so that every filter is used.
  private func picture(_ width: Int, _ height: Int) -> RGBImage {
    var state: UInt32 = 7
    var pixels: [UInt8] = []
    for y in 0..<height {
      for x in 0..<width {
        for channel in 0..<3 {
          state = state &* 1_664_525 &+ 1_013_904_223
          let value =
            switch (y / 3 + channel) % 5 {
            case 0: x * 3 + y
            case 1: y * 5
            case 2: x < width / 2 ? 20 : 230
            case 3: Int(state >> 24)
            default: 128
            }
          pixels.append(UInt8(truncatingIfNeeded: value))
        }
      }
    }
    return RGBImage(width: width, height: height, pixels: pixels)
  }

  @Test(arguments: [(1, 1, 1), (7, 5, 2), (333, 64, 64), (900, 401, 37)])
  func `libpng reads the rows that were written`(width: Int, height: Int, rows: Int) throws {
    let image = picture(width, height)
    var file: [UInt8] = []
    let texts = [
      PNGText(keyword: "parameters", text: "a fish\nSteps: 3"), PNGText(keyword: "recipe", text: "prompt: 魚"),
    ]
    let writer = try PNGRowWriter(width: width, height: height, texts: texts) { file += $0 }
    for start in stride(from: 0, to: height, by: rows) {
      try writer.append(image.pixels[start * width * 3..<min(start + rows, height) * width * 3])
    }
    let read = try PNGFile(decoding: file)
    #expect(read.image == image)
    #expect(read.texts == texts)
    // Filters help: noise alone would not be compressed.
    if width > 300 { #expect(file.count < image.pixels.count / 2) }
  }

  @Test func `an error of the sink is rethrown`() throws {
    struct Full: Error {}
    #expect(throws: Full.self) { try PNGRowWriter(width: 1, height: 1) { _ in throw Full() } }
    var calls = 0
    let writer = try PNGRowWriter(width: 2, height: 1) { _ in
      calls += 1
      if calls > 1 { throw Full() }
    }
    #expect(throws: Full.self) { try writer.append([1, 2, 3, 4, 5, 6]) }
  }
}
