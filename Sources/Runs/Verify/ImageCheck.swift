import Hashing
import Foundation
import Imaging
import JSON
import Settings
import Text

/// Whether an image that the journal has still exists unchanged.
enum ImageCheck {
  /// The file is unchanged.
  case intact
  /// The file was copied or touched, but its bytes are the same.
  case moved(FileMark)
  /// The file is missing, incomplete or changed.
  case lost

  /// Compares size and time; reads the file only if that does not decide.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - mark: Size and time in the journal.
  ///   - sha256: Reads the digest in the journal.
  /// - Throws: `RunError.notRead`, or what `sha256` throws.
  init(_ path: String, mark: FileMark, sha256: () throws -> String?) throws {
    guard let found = try? FileMark(path: path), found.size == mark.size else {
      self = .lost
      return
    }
    if found == mark {
      self = .intact
    } else if try FileReader.sha256(of: path) == sha256() {
      self = .moved(found)
    } else {
      self = .lost
    }
  }

  /// The keyword of the text that says how many faces of an image were restored.
  static let facesKeyword = "faces"

  /// A complete image of this job without a journal line, because the process ended after it wrote the image.
  ///
  /// Its name contains the first digits of the identity; its text must be the job's, and its pixels complete.
  ///
  /// - Parameters:
  ///   - planned: The job.
  ///   - file: The path that its image has, relative to the run folder.
  ///   - infotext: The text that its image has.
  ///   - folder: The run.
  /// - Returns: The missing journal line.
  static func orphan(_ planned: IdentifiedJob, file: String, infotext: String, in folder: RunFolder) -> FinishedImage? {
    let path = folder.file(file)
    guard let mark = try? FileMark(path: path), let bytes = try? FileReader.bytes(of: path),
      let picture = try? PictureFile(decoding: bytes), let encoding = picture.encoding,
      let pixels = picture.originalPixels, file.hasSuffix(encoding.ending),
      let text = picture.text("parameters"), withoutVersion(text) == withoutVersion(infotext),
      picture.image.width == planned.job.settings.finalWidth,
      picture.image.height == planned.job.settings.finalHeight
    else { return nil }
    return FinishedImage(
      id: planned.id, index: planned.job.index, file: file, mark: mark,
      sha256: Hexadecimal.text(SHA256.hash(bytes)), pixelsSHA256: pixels,
      started: Timestamp(milliseconds: mark.modified / 1_000_000), seconds: nil, infotext: text,
      faces: picture.faces, identity: planned.identity, encoding: encoding)
  }

  /// The bytes of an infotext up to the program's version, which may have changed since the image was made.
  private static func withoutVersion(_ text: String) -> [UInt8] {
    let marker = Array(", Generator: sdbatch".utf8)
    let bytes = Array(text.utf8)
    guard bytes.count > marker.count else { return bytes }
    let end = bytes.indices.last { bytes[$0...].starts(with: marker) }
    return end.map { Array(bytes[..<$0]) } ?? bytes
  }
}
