import Hashing
import Imaging
import Settings
import Text

/// Makes the files that a job asks for from an existing file of its image.
struct ImageConversion {
  let folder: RunFolder
  let disk: Disk

  /// Writes the missing files of an image.
  ///
  /// The names of new files are durable before this returns, and existing files stay.
  ///
  /// - Parameters:
  ///   - image: What the journal says about the image.
  ///   - encodings: The files that its job asks for.
  /// - Returns: The line for the journal; nil if no file preserves the pixels.
  /// - Throws: `RunError`, or `ImagingError` for an image that a format cannot hold.
  func convert(_ image: FinishedImage, to encodings: [ImageEncoding]) throws -> FinishedImage? {
    let kept = try image.files.compactMap { file -> StoredFile? in
      switch try ImageCheck(folder.file(file.file), mark: file.mark, sha256: { file.sha256 }) {
      case .intact: return file
      case .moved(let mark):
        return StoredFile(file: file.file, encoding: file.encoding, mark: mark, sha256: file.sha256)
      case .lost: return nil
      }
    }
    let missing = encodings.filter { encoding in !kept.contains { $0.encoding == encoding } }
    guard let pixels = try kept.lazy.compactMap({ try pixels(of: $0, image) }).first else { return nil }
    let bytes = ImageBytes(pixels, infotext: image.infotext, faces: image.faces)
    let name = RunFolder.stem(of: image.file)
    let made = try bytes.write(as: missing, to: name, in: folder, on: disk)
    // A file with another quality had the same name, and was replaced.
    let left = kept.filter { file in !made.contains { $0.file == file.file } }
    return image.with(made + left).sorted(by: encodings, in: folder)
  }

  /// The pixels that a file preserves; nil if they are not the pixels that were made.
  private func pixels(of file: StoredFile, _ image: FinishedImage) throws -> RGBImage? {
    guard file.encoding.isLossless, let bytes = try? FileReader.bytes(of: folder.file(file.file)),
      let picture = try? PictureFile(decoding: bytes),
      Hexadecimal.text(SHA256.hash(picture.image.pixels)) == image.pixelsSHA256
    else { return nil }
    return picture.image
  }
}
