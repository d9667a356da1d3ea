import Imaging
import TestSupport

/// A PNG written by Pillow, and what Pillow reads in it; see `Tests/FixtureScripts/make_png_files.py`.
struct PNGFixture: Decodable {
  var width: Int
  var height: Int
  var pixels: [UInt8]
  var keyword: String
  var text: String

  var image: RGBImage { RGBImage(width: width, height: height, pixels: pixels) }

  static func all() throws -> [String: PNGFixture] { try Fixtures.decode(from: "Imaging/pixels.json") }

  static func bytes(_ name: String) throws -> [UInt8] { Array(try Fixtures.data("Imaging/\(name).png")) }
}

/// The chunks of a PNG as (type, data), without checking checksums.
func chunks(_ bytes: [UInt8]) -> [(type: String, data: [UInt8])] {
  var chunks: [(String, [UInt8])] = []
  var position = 8
  while position + 8 <= bytes.count {
    let length = bytes[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
    let type = String(decoding: bytes[position + 4..<position + 8], as: UTF8.self)
    chunks.append((type, Array(bytes[position + 8..<position + 8 + length])))
    position += 12 + length
  }
  return chunks
}
