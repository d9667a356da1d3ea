import Hashing
import Imaging
import Settings
import Text

/// Encodes images as the files that a run keeps, with their texts.
struct ImageBytes {
  let image: RGBImage
  /// The webui's text.
  let infotext: String
  /// How many faces were restored; nil if the job did not look for faces.
  let faces: Int?
  /// The SHA-256 of the RGB bytes, in hexadecimal.
  let pixelsSHA256: String

  init(_ image: RGBImage, infotext: String, faces: Int?) {
    self.image = image
    self.infotext = infotext
    self.faces = faces
    pixelsSHA256 = Hexadecimal.text(SHA256.hash(image.pixels))
  }

  /// The bytes of a file. Everything that the journal notes about the image can be read from them, in case the process ends
  /// before it writes the journal line.
  func encoded(as encoding: ImageEncoding) throws(ImagingError) -> [UInt8] {
    let note = PictureNote(pixels: pixelsSHA256, encoding: encoding.description, faces: faces)
    switch encoding {
    case .png:
      var texts = [PNGText(keyword: "parameters", text: infotext)]
      if let faces { texts.append(PNGText(keyword: ImageCheck.facesKeyword, text: "\(faces)")) }
      return try PNGFile(image: image, texts: texts).encoded()
    case .jpeg(let quality): return try PictureFile.jpeg(image, quality: quality, text: infotext, note: note)
    case .webp(let quality):
      return try PictureFile.webp(image, quality: quality, isLossless: false, text: infotext, note: note)
    case .losslessWebP:
      return try PictureFile.webp(image, quality: Self.effort, isLossless: true, text: infotext, note: note)
    }
  }

  /// The effort for lossless files, which changes only their size.
  private static let effort = 80

  /// Writes a file for each encoding, lossless ones first: if the process is killed in between, the others can be made from
  /// them.
  ///
  /// - Parameters:
  ///   - encodings: What to write.
  ///   - name: The path without its extension, relative to the run folder.
  ///   - folder: The run.
  ///   - disk: The disk.
  /// - Returns: The files in the order of `encodings`.
  /// - Throws: `ImagingError`, or `RunError.notWritten`.
  func write(
    as encodings: [ImageEncoding], to name: String, in folder: RunFolder, on disk: Disk
  ) throws -> [StoredFile] {
    var files: [ImageEncoding: StoredFile] = [:]
    for encoding in encodings.filter(\.isLossless) + encodings.filter({ !$0.isLossless }) {
      let bytes = try encoded(as: encoding)
      let file = name + encoding.ending
      files[encoding] = StoredFile(
        file: file, encoding: encoding, mark: try AtomicFile.write(bytes, to: folder.file(file), on: disk),
        sha256: Hexadecimal.text(SHA256.hash(bytes)))
    }
    return encodings.compactMap { files[$0] }
  }
}

/// Encodes images that no run keeps.
package enum EncodedImage {
  /// The bytes of a file.
  ///
  /// - Parameters:
  ///   - image: The image.
  ///   - text: The webui's text; nil for none.
  ///   - encoding: How to encode it.
  /// - Returns: The file.
  /// - Throws: `ImagingError` for an image that the format cannot hold.
  package static func bytes(_ image: RGBImage, text: String?, as encoding: ImageEncoding) throws(ImagingError)
    -> [UInt8]
  {
    switch encoding {
    case .png:
      try PNGFile(image: image, texts: text.map { [PNGText(keyword: "parameters", text: $0)] } ?? []).encoded()
    case .jpeg(let quality): try PictureFile.jpeg(image, quality: quality, text: text)
    case .webp(let quality): try PictureFile.webp(image, quality: quality, isLossless: false, text: text)
    case .losslessWebP: try PictureFile.webp(image, quality: 80, isLossless: true, text: text)
    }
  }
}

extension PictureFile {
  /// How a run's file is encoded; nil for a JPEG or a lossy WebP from another program.
  var encoding: ImageEncoding? {
    switch format {
    case .png: .png
    case .webp where isLossless: .losslessWebP
    case .jpeg, .webp: note.flatMap { ImageEncoding($0.encoding) }
    }
  }

  /// The SHA-256 of the RGB bytes before they were encoded; nil for a lossy file from another program.
  var originalPixels: String? { isLossless ? Hexadecimal.text(SHA256.hash(image.pixels)) : note?.pixels }

  /// How many faces were restored.
  var faces: Int? { note?.faces ?? text(ImageCheck.facesKeyword).flatMap { Int($0) } }
}
