import CZlib
import Foundation
@testable import Imaging
import Testing

@Suite struct PNGFileTests {
  @Test func `files written by Pillow are read as Pillow reads them`() throws {
    for (name, fixture) in try PNGFixture.all() {
      let bytes = try PNGFixture.bytes(name)
      let file = try PNGFile(decoding: bytes)
      #expect(file.image == fixture.image, "\(name)")
      #expect(file.texts == [PNGText(keyword: fixture.keyword, text: fixture.text)], "\(name)")
      #expect(try PNGFile.texts(in: bytes) == file.texts, "\(name)")
      #expect(file.text("parameters") == fixture.text)
      #expect(file.text("other") == nil)
    }
  }

  @Test(arguments: ["latin1", "utf8", "empty"])
  func `the text chunk is the one that Pillow writes, between header and pixels`(name: String) throws {
    let fixture = try #require(try PNGFixture.all()[name])
    let text = PNGText(keyword: "parameters", text: fixture.text)
    let ours = chunks(try PNGFile(image: fixture.image, texts: [text]).encoded())
    let pillows = chunks(try PNGFixture.bytes(name))
    #expect(ours.map(\.type) == pillows.map(\.type))
    #expect(ours[0] == pillows[0])
    #expect(ours[1] == pillows[1])
    #expect(ours.last?.type == "IEND")
  }

  @Test func `a chunk that should be Latin-1 is read as UTF-8 if it is UTF-8, and any text is read back`() throws {
    let image = RGBImage(width: 1, height: 1, pixels: [1, 2, 3])
    func read(_ bytes: [UInt8]) throws -> String? {
      // The same file with another text: the chunk after the header.
      let file = try PNGFile(image: image, texts: [PNGText(keyword: "parameters", text: "x")]).encoded()
      let data = Array("parameters".utf8) + [0] + bytes
      let start = 8 + 25
      let old = 12 + "parameters".utf8.count + 2
      let length = (0..<4).map { UInt8(truncatingIfNeeded: data.count >> (24 - 8 * $0)) }
      let chunk = length + Array("tEXt".utf8) + data + checksum("tEXt", data)
      return try PNGFile(decoding: Array(file[..<start]) + chunk + Array(file[(start + old)...])).text("parameters")
    }
    #expect(try read(Array("кошка, 猫 😀".utf8)) == "кошка, 猫 😀")
    #expect(try read([0x63, 0x61, 0x66, 0xE9]) == "café")
    #expect(try read(Array("cafe".utf8)) == "cafe")
    // Cut UTF-8 is not UTF-8.
    #expect(try read([0x78, 0xD0]) == "xÐ")
    for text in ["café", "cafÃ©", "Ð¿", "ÿþ", "日本"] {
      let file = try PNGFile(image: image, texts: [PNGText(keyword: "parameters", text: text)]).encoded()
      #expect(try PNGFile(decoding: file).text("parameters") == text)
    }
  }

  @Test func `text is written as Latin-1 if possible, else as UTF-8`() throws {
    let image = RGBImage(width: 1, height: 1, pixels: [1, 2, 3])
    func chunk(_ text: String) throws -> (type: String, data: [UInt8]) {
      chunks(try PNGFile(image: image, texts: [PNGText(keyword: "parameters", text: text)]).encoded())[1]
    }
    let keyword = Array("parameters".utf8)
    #expect(try chunk("café") == ("tEXt", keyword + [0, 0x63, 0x61, 0x66, 0xE9]))
    #expect(try chunk("日") == ("iTXt", keyword + [0, 0, 0, 0, 0, 0xE6, 0x97, 0xA5]))
    // e and a combining accent equal é in Swift, but are not Latin-1.
    #expect(try chunk("cafe\u{301}").type == "iTXt")
    #expect(try chunk("a\r\nb") == ("tEXt", keyword + [0, 0x61, 0x0D, 0x0A, 0x62]))
  }

  @Test(arguments: [(1, 1), (1, 300), (300, 1), (64, 64), (511, 257)])
  func `an image is read back unchanged, and is always encoded to the same bytes`(width: Int, height: Int) throws {
    var generator = SystemRandomNumberGenerator()
    let noise = (0..<width * height * 3).map { _ in UInt8.random(in: 0...255, using: &generator) }
    let file = PNGFile(
      image: RGBImage(width: width, height: height, pixels: noise),
      texts: [PNGText(keyword: "parameters", text: "a\nb"), PNGText(keyword: "other", text: "日")])
    let bytes = try file.encoded()
    #expect(try PNGFile(decoding: bytes) == file)
    #expect(try file.encoded() == bytes)
  }

  @Test func `a smooth image is compressed well`() throws {
    let side = 256
    let pixels = (0..<side * side * 3).map { UInt8(($0 / 3 % side + $0 / 3 / side) / 2) }
    let bytes = try PNGFile(image: RGBImage(width: side, height: side, pixels: pixels)).encoded()
    #expect(bytes.count < pixels.count / 20)
  }

  @Test(arguments: ["", " a", "a ", "a\u{0}b", "a\nb", "日", String(repeating: "k", count: 80)])
  func `a keyword that PNG does not allow is refused`(keyword: String) {
    let file = PNGFile(
      image: RGBImage(width: 1, height: 1, pixels: [0, 0, 0]), texts: [PNGText(keyword: keyword, text: "")])
    #expect(throws: ImagingError.badKeyword(keyword)) { try file.encoded() }
  }

  // MARK: Foreign texts

  /// The bytes of a black pixel's file with these chunks after the header.
  private func file(_ added: [PNGChunk]) throws -> [UInt8] {
    let plain = try PNGFile(image: RGBImage(width: 1, height: 1, pixels: [0, 0, 0])).encoded()
    var bytes = Array(plain[..<33])
    for chunk in added { chunk.append(to: &bytes) }
    return bytes + plain[33...]
  }

  private func compressed(_ text: [UInt8], keyword: String = "parameters") -> PNGChunk {
    var size = compressBound(uLong(text.count))
    var bytes = [UInt8](repeating: 0, count: Int(size))
    compress2(&bytes, &size, text, uLong(text.count), 9)
    return PNGChunk(type: "zTXt", data: (Array(keyword.utf8) + [0, 0] + bytes[..<Int(size)])[...])
  }

  @Test func `a text whose keyword PNG does not allow is passed over`() throws {
    for keyword in ["", " a", "a ", "a\u{1B}b", String(repeating: "k", count: 80), String(repeating: "k", count: 200)] {
      let chunk = PNGChunk(type: "tEXt", data: (Array(keyword.utf8) + [0] + Array("v".utf8))[...])
      let read = try PNGFile(decoding: file([chunk, compressed(Array("kept".utf8))]))
      #expect(read.texts == [PNGText(keyword: "parameters", text: "kept")], "\(keyword)")
      // What is read can be written.
      #expect(try PNGFile(decoding: read.encoded()) == read)
      #expect(try PNGFile(decoding: read.encoded(isFast: true)) == read)
    }
  }

  @Test(.timeLimit(.minutes(20)))
  func `the compressed texts of a file share one limit`() throws {
    let large = compressed([UInt8](repeating: UInt8(ascii: "a"), count: 7 << 20))
    let small = compressed(Array("small".utf8), keyword: "more")
    let one = try PNGFile.texts(in: file([large, small]))
    #expect(one.map(\.text.utf8.count) == [7 << 20, 5])
    // From the first text that is too much, none is decompressed.
    let many = try PNGFile.texts(in: file(Array(repeating: large, count: 100) + [small]))
    #expect(many.map(\.text.utf8.count) == [7 << 20])
    let huge = compressed([UInt8](repeating: UInt8(ascii: "a"), count: PNGText.inflatedLimit + 1))
    #expect(try PNGFile.texts(in: file([huge, small])).isEmpty)
  }

  @Test func `a compressed text that ends too early is passed over`() throws {
    var chunk = compressed(Array("a text that is long enough to be cut".utf8))
    chunk.data = chunk.data.dropLast(12)
    #expect(try PNGFile.texts(in: file([chunk])).isEmpty)
  }

  // MARK: Damage

  @Test func `a file that is cut off anywhere is refused`() throws {
    let bytes = try PNGFixture.bytes("utf8")
    for length in 0..<bytes.count {
      #expect(throws: ImagingError.self) { try PNGFile(decoding: Array(bytes[..<length])) }
      #expect(throws: ImagingError.self) { try PNGFile.texts(in: Array(bytes[..<length])) }
    }
  }

  @Test func `a file with any bit flipped is refused`() throws {
    let bytes = try PNGFixture.bytes("latin1")
    for bit in 0..<bytes.count * 8 {
      var damaged = bytes
      damaged[bit / 8] ^= 1 << (bit % 8)
      #expect(throws: ImagingError.self) { try PNGFile(decoding: damaged) }
    }
  }

  @Test func `a header with too large a size is refused before memory is allocated`() throws {
    var bytes = try PNGFixture.bytes("latin1")
    let header: [UInt8] = [0, 0x0F, 0x42, 0x40, 0, 0x0F, 0x42, 0x40, 8, 2, 0, 0, 0]
    bytes.replaceSubrange(8..<33, with: [0, 0, 0, 13] + Array("IHDR".utf8) + header + checksum("IHDR", header))
    #expect(throws: ImagingError.tooLarge(width: 1_000_000, height: 1_000_000, pixelLimit: PNGFile.pixelLimit)) {
      try PNGFile(decoding: bytes)
    }
  }

  @Test func `missing pixels are refused even if the checksums are right`() throws {
    let whole = try PNGFixture.bytes("latin1")
    var bytes = Array(whole[..<33])
    let data = try #require(chunks(whole).first { $0.type == "IDAT" }).data.dropLast(20)
    bytes += [0, 0, 0, UInt8(data.count)] + Array("IDAT".utf8) + data + checksum("IDAT", Array(data))
    bytes += [0, 0, 0, 0] + Array("IEND".utf8) + checksum("IEND", [])
    #expect(throws: ImagingError.self) { try PNGFile(decoding: bytes) }
  }

  @Test func `randomly damaged bytes never crash`() throws {
    var generator = SystemRandomNumberGenerator()
    for name in try PNGFixture.all().keys {
      let bytes = try PNGFixture.bytes(name)
      for _ in 0..<200 {
        // The checksums are corrected, so that the damage reaches libpng and the readers of texts.
        var damaged = Array(bytes[..<8])
        for (type, data) in chunks(bytes) {
          var data = data
          for _ in 0..<Int.random(in: 0...3, using: &generator) where !data.isEmpty {
            data[Int.random(in: 0..<data.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
          }
          damaged += [UInt8(data.count >> 24), UInt8(data.count >> 16 & 255), UInt8(data.count >> 8 & 255)]
          damaged += [UInt8(data.count & 255)] + Array(type.utf8) + data + checksum(type, data)
        }
        _ = try? PNGFile(decoding: damaged)
      }
    }
  }

  /// CRC-32 as in the PNG specification's appendix, bit by bit.
  private func checksum(_ type: String, _ data: [UInt8]) -> [UInt8] {
    var value: UInt32 = .max
    for byte in Array(type.utf8) + data {
      value ^= UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
    }
    value = ~value
    return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> UInt32($0)) }
  }

  @Test func `texts are added to a file whose other bytes stay`() throws {
    let bytes = try PNGFixture.bytes("utf8")
    let added = try PNGFile.adding([PNGText(keyword: "XML:com.adobe.xmp", text: "\u{FEFF}<x/>")], to: bytes)
    func others(_ bytes: [UInt8]) -> [[UInt8]] { chunks(bytes).filter { $0.type != "iTXt" }.map(\.data) }
    #expect(others(added) == others(bytes))
    #expect(chunks(added)[1].type == "iTXt")
    #expect(try PNGFile.texts(in: added).map(\.keyword) == ["XML:com.adobe.xmp", "parameters"])
    #expect(try PNGFile(decoding: added).image == PNGFile(decoding: bytes).image)
  }

  @Test func `an animation is a PNG of its first image, with every image in order`() throws {
    let images = (0..<3).map { RGBImage(width: 2, height: 1, pixels: [UInt8](repeating: UInt8($0 * 50), count: 6)) }
    var animation = PNGAnimation(count: 3, width: 2, height: 1, milliseconds: 500)
    for image in images { try animation.append(image) }
    let bytes = animation.encoded()
    #expect(try PNGFile(decoding: bytes).image == images[0])
    #expect(chunks(bytes).map(\.type) == ["IHDR", "acTL", "fcTL", "IDAT", "fcTL", "fdAT", "fcTL", "fdAT", "IEND"])
    #expect(throws: ImagingError.self) { try animation.append(RGBImage(width: 1, height: 1, pixels: [0, 0, 0])) }
  }
}
