import Foundation
import Imaging
import Testing
import TestSupport

@Suite struct ImageResizeTests {
  struct Fixture: Decodable {
    struct Case: Decodable {
      var seed: UInt64
      var from: [Int]
      var to: [Int]
      var filter: String
      var sha256: String
    }

    var cases: [Case]
  }

  @Test func `images are resized to exactly the values of Pillow`() throws {
    let fixture: Fixture = try Fixtures.decode(from: "Imaging/resize.json")
    #expect(fixture.cases.count == 30)
    for item in fixture.cases {
      var random = SplitMix64(state: item.seed)
      let pixels = random.bytes(item.from[0] * item.from[1] * 3)
      let image = RGBImage(width: item.from[0], height: item.from[1], pixels: pixels)
      let resized = image.resized(
        width: item.to[0], height: item.to[1], filter: try #require(ImageFilter(rawValue: item.filter)))
      #expect(resized.width == item.to[0] && resized.height == item.to[1])
      #expect(digest(resized.pixels) == item.sha256, "\(item.filter) \(item.from) to \(item.to)")
    }
  }
}
