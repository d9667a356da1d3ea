import Foundation
import Sampling
import Settings
import Testing
import TestSupport

@Suite struct LatentResizeTests {
  struct Fixture: Decodable {
    struct Case: Decodable, CustomStringConvertible {
      var filter: String
      var from: [Int]
      var to: [Int]
      var x: [Float]
      var y: [Float]

      var description: String { "\(filter) \(from) to \(to)" }
    }

    var cases: [Case]
  }

  @Test func `latents are resized as in PyTorch`() throws {
    let fixture: Fixture = try Fixtures.decode(from: "Sampling/latent_resize.json")
    #expect(fixture.cases.count == 42)
    for item in fixture.cases {
      let filter = try #require(LatentFilter(rawValue: item.filter))
      let shape = LatentShape(channels: 2, height: item.from[0], width: item.from[1])
      let resized = Latent(shape: shape, values: item.x).resized(height: item.to[0], width: item.to[1], filter: filter)
      #expect(resized.shape == LatentShape(channels: 2, height: item.to[0], width: item.to[1]))
      let errors = zip(resized.values, item.y).map { ($0 - $1).magnitude }
      // The file's values have six decimals, and weights of long rows are accurate to about 1e-6.
      #expect(errors.max() ?? 1 < 2e-5, "\(item)")
    }
  }

  @Test func `a latent is cropped to the given rows and columns`() {
    let shape = LatentShape(channels: 2, height: 3, width: 4)
    let latent = Latent(shape: shape, values: (0..<24).map { Float($0) })
    let cropped = latent.cropped(rows: 1..<3, columns: 2..<4)
    #expect(cropped.values == [6, 7, 10, 11, 18, 19, 22, 23])
  }
}
