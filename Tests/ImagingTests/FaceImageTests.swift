import Imaging
import Testing
import TestSupport

/// The operations of face restoration on images, against OpenCV 4 (`Tests/FixtureScripts/make_face_images.py`).
struct FaceImageTests {
  private struct Fixture: Decodable {
    struct Resized: Decodable {
      var width: Int
      var height: Int
      var seed: UInt64
      var to: [Int]
      var pixels: [UInt8]
    }
    struct Warped: Decodable {
      var matrix: [Double]
      var pixels: [UInt8]
      var numbers: [Double]
    }
    struct Similar: Decodable {
      var points: [Float]
      var matrix: [Double]
    }
    struct Blurred: Decodable {
      var width: Int
      var height: Int
      var numbers: [Double]
    }

    var resized: [Resized]
    var warped: [Warped]
    var similar: [Similar]
    var blurred: Blurred
  }

  private let fixture: Fixture

  init() throws { fixture = try Fixtures.decode(from: "Faces/images.json") }

  private func picture(_ width: Int, _ height: Int, seed: UInt64) -> RGBImage {
    var generator = SplitMix64(state: seed)
    return RGBImage(width: width, height: height, pixels: generator.bytes(width * height * 3))
  }

  /// The red values of an image.
  private func plane(_ width: Int, _ height: Int, seed: UInt64, divisor: Double = 1) -> NumberPlane {
    let pixels = picture(width, height, seed: seed).pixels
    return NumberPlane(
      width: width, height: height,
      values: stride(from: 0, to: pixels.count, by: 3).map { Double(pixels[$0]) / divisor })
  }

  private func map(_ m: [Double]) -> AffineMap {
    AffineMap(xx: m[0], xy: m[1], x0: m[2], yx: m[3], yy: m[4], y0: m[5])
  }

  @Test func `an image is resized by eight taps, to the byte`() {
    for test in fixture.resized {
      let image = picture(test.width, test.height, seed: test.seed)
      let resized = image.resizedByEightTaps(width: test.to[0], height: test.to[1])
      #expect(resized.pixels == test.pixels, "\(test.width)x\(test.height) to \(test.to)")
    }
  }

  @Test func `an image is drawn through a map, to the byte`() {
    for test in fixture.warped {
      let warped = picture(41, 33, seed: 4).warped(
        by: map(test.matrix), width: 47, height: 29, border: (132, 133, 135))
      #expect(warped.pixels == test.pixels, "\(test.matrix)")
    }
  }

  @Test func `a plane of numbers is drawn through a map, to the bit`() {
    let source = plane(41, 33, seed: 5, divisor: 7)
    for test in fixture.warped {
      let warp = AffineWarp(map(test.matrix), width: 47)
      var numbers = [Double](repeating: -1, count: 47 * 29)
      numbers.withUnsafeMutableBufferPointer { numbers in
        guard let base = numbers.baseAddress else { return }
        for y in 0..<29 { warp.draw(source, row: y, columns: 0..<47, into: base + y * 47) }
      }
      #expect(numbers == test.numbers, "\(test.matrix)")
    }
  }

  @Test func `a part of a row is drawn as the whole row is`() {
    let source = picture(41, 33, seed: 4)
    let warp = AffineWarp(map(fixture.warped[0].matrix), width: 47)
    var (whole, part) = ([UInt8](repeating: 0, count: 141), [UInt8](repeating: 0, count: 30))
    warp.draw(source, row: 11, columns: 0..<47, into: &whole)
    warp.draw(source, row: 11, columns: 20..<30, into: &part)
    #expect(Array(whole[60..<90]) == part)
  }

  @Test func `a similarity of five points is OpenCV's, whatever lies apart`() throws {
    let template: [(x: Float, y: Float)] = [
      (192.98138, 239.94708), (318.90277, 240.1936), (256.63416, 314.01935), (201.26117, 371.41043),
      (313.08905, 371.15118),
    ]
    for test in fixture.similar {
      let points = (0..<5).map { (x: test.points[2 * $0], y: test.points[2 * $0 + 1]) }
      let found = try #require(AffineMap.similarity(from: points, to: template))
      let numbers = [found.xx, found.xy, found.x0, found.yx, found.yy, found.y0]
      #expect(zip(numbers, test.matrix).allSatisfy { abs($0 - $1) <= 1e-9 * max(1, abs($1)) }, "\(numbers)")
    }
  }

  @Test func `points that are all the same have no similarity`() {
    let template = Array(repeating: (x: Float(1), y: Float(2)), count: 5)
    let spread: [(x: Float, y: Float)] = [(0, 0), (1, 0), (0, 1), (3, 1), (2, 2)]
    #expect(AffineMap.similarity(from: template, to: spread) == nil)
    #expect(AffineMap.similarity(from: Array(repeating: (x: Float.nan, y: Float.nan), count: 5), to: spread) == nil)
    #expect(AffineMap.similarity(from: spread, to: template) == nil)
  }

  @Test func `a map and its inverse cancel out`() {
    let some = map(fixture.warped[1].matrix)
    let point = some.inverse(some(3, 4).x, some(3, 4).y)
    #expect(abs(point.x - 3) < 1e-12 && abs(point.y - 4) < 1e-12)
  }

  @Test func `a plane is blurred with mirrored edges`() {
    let test = fixture.blurred
    let blurred = plane(test.width, test.height, seed: 6).blurred(radius: 50, deviation: 11)
    let sampled = stride(from: 0, to: blurred.values.count, by: 11).map { blurred.values[$0] }
    #expect(sampled.count == test.numbers.count)
    #expect(zip(sampled, test.numbers).allSatisfy { abs($0 - $1) < 1e-11 })
  }
}
