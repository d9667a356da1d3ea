import Hashing
import Foundation
import Imaging
import JSON
import Settings
import Text

/// Reads every byte of an image, and compares it with the journal.
struct ImageExamination {
  /// The first thing that is wrong with it; nil for an unchanged image.
  private(set) var problem: (kind: Finding.Kind, text: String)?
  /// Whether the next run notices the problem by itself.
  private(set) var isSeenByRuns = true
  private(set) var bytesRead: Int64 = 0

  /// Examines a file of an image.
  ///
  /// The pixels of a JPEG or a lossy WebP are not the pixels that were made, so these files are only decoded; the digest shows
  /// whether the file is unchanged.
  ///
  /// - Parameters:
  ///   - stored: What the journal says about the file.
  ///   - noted: The journal's line.
  ///   - size: Width and height that the job asks for; nil for an image without a job.
  ///   - folder: The run.
  init(_ stored: StoredFile, of noted: FinishedImage, size: (width: Int, height: Int)?, in folder: RunFolder) {
    let path = folder.file(stored.file)
    let mark: FileMark
    let bytes: [UInt8]
    do {
      mark = try FileMark(path: path)
      bytes = try FileReader.bytes(of: path)
    } catch RunError.notRead(_, let code) where code == ENOENT || code == ENOTDIR {
      problem = (.missing, "is missing")
      return
    } catch {
      problem = (.unreadable, "cannot be read: \(error)")
      return
    }
    bytesRead = Int64(bytes.count)
    isSeenByRuns = mark != stored.mark
    let decoded = Result { try PictureFile(decoding: bytes) }
    if Int64(bytes.count) != stored.mark.size {
      problem = (
        .size, "is \(bytes.count) bytes long, expected \(stored.mark.size)\(Self.rest(decoded, stored, noted))"
      )
    } else if Hexadecimal.text(SHA256.hash(bytes)) != stored.sha256 {
      problem = (.digest, "has other bytes than were written\(Self.rest(decoded, stored, noted))")
    } else {
      problem = Self.problem(of: decoded, stored, noted, size: size)
    }
  }

  private typealias Decoded = Result<PictureFile, any Error>

  /// What else can be said about a file whose bytes have changed.
  private static func rest(_ decoded: Decoded, _ stored: StoredFile, _ noted: FinishedImage) -> String {
    guard let picture = try? decoded.get() else { return " and is not a complete \(name(stored))" }
    let isSame = digest(picture) == noted.pixelsSHA256
    if isSame { return picture.text("parameters") == noted.infotext ? "; pixels and text are the same" : " of text" }
    return stored.encoding.isLossless ? " and different pixels" : ""
  }

  private static func problem(
    of decoded: Decoded, _ stored: StoredFile, _ noted: FinishedImage, size: (width: Int, height: Int)?
  ) -> (Finding.Kind, String)? {
    let picture: PictureFile
    switch decoded {
    case .success(let file): picture = file
    case .failure(let error): return (.undecodable, "is not a complete \(name(stored)) (\(error))")
    }
    if stored.encoding.isLossless, digest(picture) != noted.pixelsSHA256 {
      return (.pixels, "has different pixels than the journal records")
    }
    let image = picture.image
    if let size, (image.width, image.height) != size {
      return (.pixels, "is \(image.width)x\(image.height), expected \(size.width)x\(size.height)")
    }
    guard let text = picture.text("parameters") else { return (.infotext, "has no infotext") }
    if text != noted.infotext { return (.infotext, "has a different infotext than the journal records") }
    return nil
  }

  private static func name(_ stored: StoredFile) -> String {
    switch stored.encoding {
    case .png: PictureFormat.png.rawValue
    case .jpeg: PictureFormat.jpeg.rawValue
    case .webp, .losslessWebP: PictureFormat.webp.rawValue
    }
  }

  private static func digest(_ picture: PictureFile) -> String { Hexadecimal.text(SHA256.hash(picture.image.pixels)) }
}
