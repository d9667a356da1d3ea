/// What a JPEG or WebP file records about its original image, besides the webui's text: lines of the form `key=value`.
public struct PictureNote: Hashable, Sendable {
  /// The SHA-256 of the RGB bytes before they were encoded, in hexadecimal.
  public var pixels: String
  /// How the pixels were encoded, such as `jpeg 80`.
  public var encoding: String
  /// How many faces were restored; nil if none were looked for.
  public var faces: Int?

  /// Creates a note.
  public init(pixels: String, encoding: String, faces: Int? = nil) {
    (self.pixels, self.encoding, self.faces) = (pixels, encoding, faces)
  }

  /// The note as it is written to files.
  var text: String { "pixels=\(pixels)\nencoding=\(encoding)\n" + (faces.map { "faces=\($0)\n" } ?? "") }

  /// Reads a note; nil if digest or encoding are missing.
  init?(_ text: String) {
    var values: [Substring: Substring] = [:]
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: "=", maxSplits: 1)
      if parts.count == 2 { values[parts[0]] = parts[1] }
    }
    guard let pixels = values["pixels"], let encoding = values["encoding"], pixels.utf8.count == 64,
      pixels.utf8.allSatisfy({
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0
      })
    else { return nil }
    self.init(pixels: String(pixels), encoding: String(encoding), faces: values["faces"].flatMap { Int($0) })
  }
}
