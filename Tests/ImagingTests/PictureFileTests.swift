import Foundation
import TestSupport
import Testing

@testable import Imaging

/// JPEG and WebP files, compared with those that Pillow and piexif write for the webui; see
/// `Tests/FixtureScripts/make_pictures.py`.
@Suite struct PictureFileTests {
  struct Pictures: Decodable {
    struct File: Decodable {
      var width: Int
      var height: Int
      var text: String?
      var pixels: Data
    }
    var text: String
    var original: Data
    var odd: Data
    var exif: Data
    var files: [String: File]

    /// The image in most files.
    var image: RGBImage { RGBImage(width: 40, height: 24, pixels: Array(original)) }
    /// The image with odd sides.
    var oddImage: RGBImage { RGBImage(width: 17, height: 9, pixels: Array(odd)) }
  }

  let pictures: Pictures

  init() throws { pictures = try Fixtures.decode(from: "Imaging/pictures/pictures.json") }

  private func bytes(_ name: String) throws -> [UInt8] { Array(try Fixtures.data("Imaging/pictures/\(name)")) }

  private static let note = PictureNote(pixels: String(repeating: "0a", count: 32), encoding: "jpeg 80", faces: 2)

  // MARK: Reading

  @Test func `every file has the pixels and the text that Pillow and piexif find in it`() throws {
    for (name, expected) in pictures.files {
      let picture = try PictureFile(decoding: bytes(name))
      #expect(picture.image.width == expected.width && picture.image.height == expected.height, "\(name)")
      #expect(picture.image.pixels == Array(expected.pixels), "\(name)")
      #expect(picture.text("parameters") == expected.text, "\(name)")
      #expect(try PictureFile.texts(in: bytes(name)) == picture.texts, "\(name)")
      #expect(picture.note == nil && picture.format == (name.hasSuffix(".jpg") ? .jpeg : .webp), "\(name)")
      #expect(picture.isLossless == ["lossless.webp", "alpha.webp"].contains(name), "\(name)")
    }
  }

  @Test func `a format is told by the content`() throws {
    #expect(PictureFormat(of: try bytes("webui.jpg")) == .jpeg)
    #expect(PictureFormat(of: try bytes("webui.webp").prefix(12)) == .webp)
    #expect(PictureFormat(of: try PNGFixture.bytes("latin1")) == .png)
    #expect(PictureFormat(of: Array("RIFF....WAVE".utf8)) == nil && PictureFormat(of: [UInt8]()) == nil)
    let png = try PictureFile(decoding: PNGFixture.bytes("latin1"))
    #expect(try png.isLossless && png.text("parameters") == PNGFixture.all()["latin1"]?.text)
    #expect(throws: ImagingError.otherFormat) { try PictureFile(decoding: Array("GIF89a".utf8)) }
  }

  // MARK: Writing

  @Test func `written files hold the pixels that Pillow's hold`() throws {
    let image = pictures.image
    #expect(try decoded(PictureFile.jpeg(image, quality: 80, text: "a")) == pixels("webui.jpg"))
    #expect(try decoded(PictureFile.jpeg(image, quality: 100, text: nil)) == pixels("best.jpg"))
    #expect(try decoded(PictureFile.jpeg(pictures.oddImage, quality: 60, text: "a")) == pixels("odd.jpg"))
    let odd = try decoded(PictureFile.webp(pictures.oddImage, quality: 60, isLossless: false, text: nil))
    // Another version of libwebp may choose other blocks of the same quality.
    #expect(try Self.distance(odd, pixels("odd.webp")) < 4)
    let lossy = try decoded(PictureFile.webp(image, quality: 80, isLossless: false, text: "a"))
    #expect(try Self.distance(lossy, pixels("webui.webp")) < 4)
    #expect(try decoded(PictureFile.webp(image, quality: 80, isLossless: true, text: "a")) == image.pixels)
  }

  private func decoded(_ bytes: [UInt8]) throws -> [UInt8] { try PictureFile(decoding: bytes).image.pixels }
  private func pixels(_ name: String) throws -> [UInt8] { Array(try #require(pictures.files[name]).pixels) }
  /// The root mean square of the differences.
  private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Double {
    let sum = zip(a, b).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
    return a.count == b.count ? (sum / Double(a.count)).squareRoot() : .infinity
  }

  @Test func `the text is written byte by byte as piexif writes it`() {
    // piexif leaves out the last four bytes of the second IFD, which TIFF requires, so its text begins earlier.
    var bytes = ExifText(comment: pictures.text).bytes
    #expect(Array(bytes[36..<44]) == [0, 0, 0, 44, 0, 0, 0, 0])
    bytes.replaceSubrange(36..<44, with: [0, 0, 0, 40])
    #expect(bytes == Array(pictures.exif))
  }

  @Test(arguments: ["", "a", "caf\u{E9} \u{65E5}\u{1F41F}\nSteps: 1", String(repeating: "long, ", count: 4000)])
  func `text and note come back`(text: String) throws {
    let files = [
      try PictureFile.jpeg(pictures.image, quality: 50, text: text, note: Self.note),
      try PictureFile.webp(pictures.image, quality: 50, isLossless: false, text: text, note: Self.note),
      try PictureFile.webp(pictures.image, quality: 50, isLossless: true, text: text, note: Self.note),
    ]
    for bytes in files {
      let picture = try PictureFile(decoding: bytes)
      #expect(picture.text("parameters") == (text.isEmpty ? nil : text.trimmedEnd))
      #expect(picture.note == Self.note && PictureFile.note(in: bytes) == Self.note)
      let other = try PictureFile.replacingText(of: bytes, by: "other")
      let replaced = try PictureFile(decoding: other)
      #expect(replaced.text("parameters") == "other" && replaced.image == picture.image && replaced.note == Self.note)
    }
  }

  @Test func `XMP is added beside the text, and nothing else changes`() throws {
    for bytes in [try bytes("webui.jpg"), try bytes("webui.webp"), try bytes("bare.webp"), try bytes("bare.jpg")] {
      let before = try PictureFile(decoding: bytes)
      let file = try PictureFile.adding(xmp: "<x:xmpmeta/>", to: bytes)
      let after = try PictureFile(decoding: file)
      #expect(after == before)
      #expect(Data(file).range(of: Data("<x:xmpmeta/>".utf8)) != nil)
    }
  }

  // MARK: What does not fit, and damage

  @Test func `a text that JPEG has no room for, and sides that WebP has none for, are errors`() throws {
    let long = String(repeating: "x", count: 33_000)
    let error = #expect(throws: ImagingError.self) { try PictureFile.jpeg(pictures.image, quality: 80, text: long) }
    #expect(error?.description.contains("use png or webp") == true)
    #expect(
      try PictureFile.texts(in: PictureFile.webp(pictures.image, quality: 80, isLossless: false, text: long))[0].text
        == long)
    let wide = RGBImage(width: 16_384, height: 1, pixels: [UInt8](repeating: 9, count: 16_384 * 3))
    #expect(throws: ImagingError.tooLong(width: 16_384, height: 1, limit: 16_383)) {
      try PictureFile.webp(wide, quality: 80, isLossless: false, text: nil)
    }
    let fits = RGBImage(width: 16_383, height: 1, pixels: [UInt8](repeating: 9, count: 16_383 * 3))
    #expect(try PictureFile(decoding: PictureFile.webp(fits, quality: 80, isLossless: true, text: nil)).image == fits)
  }

  @Test func `a file cut anywhere is an error, and so is one of garbage`() throws {
    for name in ["webui.jpg", "webui.webp", "lossless.webp", "progressive.jpg"] {
      let bytes = try bytes(name)
      for count in stride(from: 12, to: bytes.count - 2, by: 17) {
        #expect(throws: ImagingError.self, "\(name) cut at \(count)") {
          try PictureFile(decoding: Array(bytes[..<count]))
        }
      }
    }
    for start in [
      [0xFF, 0xD8, 0xFF, 0xE0], Array("RIFF\u{10}\0\0\0WEBPVP8 ".utf8), Array("RIFF\u{7F}\u{7F}\u{7F}\u{7F}WEBP".utf8),
    ] {
      #expect(throws: ImagingError.self) { try PictureFile(decoding: start + [UInt8](repeating: 7, count: 300)) }
    }
  }

  @Test func `EXIF data with any byte changed are read or left out, and never trap`() {
    let bytes = ExifText(comment: pictures.text, note: Self.note).bytes
    for index in bytes.indices {
      for value in [0, 1, 0x7F, 0xFF] as [UInt8] {
        var damaged = bytes
        damaged[index] = value
        let read = ExifText(damaged)
        if index > 120 { #expect(read.comment != nil) }
        _ = ExifText(damaged[..<index])
      }
    }
  }

  // MARK: Animations

  /// The chunks of a RIFF file, or of a part of one.
  private static func riff(_ bytes: ArraySlice<UInt8>) -> [(type: String, data: ArraySlice<UInt8>)] {
    var chunks: [(type: String, data: ArraySlice<UInt8>)] = []
    var rest = bytes
    while rest.count >= 8 {
      let size = rest.dropFirst(4).prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
      chunks.append((String(decoding: rest.prefix(4), as: UTF8.self), rest.dropFirst(8).prefix(size)))
      rest = rest.dropFirst(8 + size + size % 2)
    }
    return chunks
  }

  @Test func `an animated WebP has every image for its time, also equal ones, and lossless ones exactly`() throws {
    let other = RGBImage(width: 40, height: 24, pixels: pictures.image.pixels.reversed())
    let images = [pictures.image, other, other]
    for isLossless in [true, false] {
      var animation = WebPAnimation(width: 40, height: 24, milliseconds: 70_000)
      for image in images { try animation.append(WebPAnimation.Frame(image, isLossless: isLossless)) }
      let bytes = animation.encoded()
      #expect(bytes[4..<8].reversed().reduce(0) { $0 << 8 | Int($1) } == bytes.count - 8)
      let chunks = Self.riff(bytes[12...])
      #expect(chunks.map(\.type) == ["VP8X", "ANIM", "ANMF", "ANMF", "ANMF"])
      // Animated, 40x24; repeated for ever.
      #expect(Array(chunks[0].data) == [2, 0, 0, 0, 39, 0, 0, 23, 0, 0])
      #expect(chunks[1].data.suffix(2) == [0, 0])
      for (image, chunk) in zip(images, chunks.dropFirst(2)) {
        // The whole picture, for 70 000 ms, in place of the one before.
        #expect(Array(chunk.data.prefix(16)) == [0, 0, 0, 0, 0, 0, 39, 0, 0, 23, 0, 0, 0x70, 0x11, 1, 2])
        let frame = Array(chunk.data.dropFirst(16))
        let size = frame.count + 4
        let length = [UInt8(size & 255), UInt8(size >> 8 & 255), UInt8(size >> 16), 0]
        let file: [UInt8] = Array("RIFF".utf8) + length + Array("WEBP".utf8) + frame
        let found = try PictureFile(decoding: file)
        #expect(found.isLossless == isLossless)
        #expect(isLossless ? found.image == image : Self.distance(found.image.pixels, image.pixels) < 12)
      }
      #expect(throws: ImagingError.self) {
        try animation.append(WebPAnimation.Frame(pictures.oddImage, isLossless: true))
      }
    }
  }

  // MARK: Smaller copies

  @Test func `a large JPEG is decoded smaller for a small copy, with nearly the same colours, and other files are not`()
    throws
  {
    let pixels = (0..<256 * 512).flatMap { pixel -> [UInt8] in
      let (x, y) = (pixel % 512, pixel / 512)
      return [UInt8(x / 2), UInt8(y), UInt8((x + y) / 3 % 256)]
    }
    let image = RGBImage(width: 512, height: 256, pixels: pixels)
    let jpeg = try PictureFile.jpeg(image, quality: 95, text: "a")
    for (side, divisor) in [(300, 1), (128, 2), (64, 4), (32, 8), (3, 8)] {
      let reduced = try ReducedPicture(decoding: jpeg, box: (side, side))
      #expect((reduced.width, reduced.height) == (512, 256))
      #expect((reduced.image.width, reduced.image.height) == (512 / divisor, 256 / divisor))
      let expected = image.resized(width: 512 / divisor, height: 256 / divisor, filter: .lanczos)
      #expect(Self.distance(reduced.image.pixels, expected.pixels) < 3)
    }
    let odd = try ReducedPicture(decoding: PictureFile.jpeg(pictures.oddImage, quality: 90, text: nil), box: (4, 4))
    #expect((odd.image.width, odd.image.height) == (9, 5))
    let png = try PNGFile(image: image, texts: [PNGText(keyword: "parameters", text: "a")]).encoded()
    #expect(try ReducedPicture(decoding: png, box: (8, 8)).image == image)
    #expect(throws: ImagingError.self) { try ReducedPicture(decoding: Array(jpeg.prefix(400)), box: (8, 8)) }
    var damaged = png
    damaged[png.count / 2] ^= 1
    #expect(throws: ImagingError.self) { try ReducedPicture(decoding: damaged, box: (8, 8)) }
  }
}

extension String {
  /// The text without spaces at the end, which other programs use as padding.
  fileprivate var trimmedEnd: String {
    String(
      unicodeScalars.reversed().drop { $0 == " " }.reversed().reduce(into: String.UnicodeScalarView()) { $0.append($1) }
    )
  }
}
