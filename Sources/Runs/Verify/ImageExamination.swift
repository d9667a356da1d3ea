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

  /// Examines the file of an image.
  ///
  /// - Parameters:
  ///   - noted: The journal's line.
  ///   - size: Width and height that the job asks for; nil for an image without a job.
  ///   - folder: The run.
  init(_ noted: FinishedImage, size: (width: Int, height: Int)?, in folder: RunFolder) {
    let path = folder.file(noted.file)
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
    isSeenByRuns = mark != noted.mark
    let decoded = Result { try PNGFile(decoding: bytes) }
    if Int64(bytes.count) != noted.mark.size {
      problem = (
        .size, "is \(bytes.count) bytes long, expected \(noted.mark.size)\(Self.rest(decoded, noted))"
      )
    } else if Hexadecimal.text(SHA256.hash(bytes)) != noted.sha256 {
      problem = (.digest, "has other bytes than were written\(Self.rest(decoded, noted))")
    } else {
      problem = Self.problem(of: decoded, noted, size: size)
    }
  }

  private typealias Decoded = Result<PNGFile, any Error>

  /// What else can be said about a file whose bytes have changed.
  private static func rest(_ decoded: Decoded, _ noted: FinishedImage) -> String {
    guard let png = try? decoded.get() else { return " and is not a complete PNG" }
    let isSame = digest(png) == noted.pixelsSHA256
    if isSame { return png.text("parameters") == noted.infotext ? "; pixels and text are the same" : " of text" }
    return " and different pixels"
  }

  private static func problem(
    of decoded: Decoded, _ noted: FinishedImage, size: (width: Int, height: Int)?
  ) -> (Finding.Kind, String)? {
    let png: PNGFile
    switch decoded {
    case .success(let file): png = file
    case .failure(let error): return (.undecodable, "is not a complete PNG (\(error))")
    }
    if digest(png) != noted.pixelsSHA256 { return (.pixels, "has different pixels than the journal records") }
    let image = png.image
    if let size, (image.width, image.height) != size {
      return (.pixels, "is \(image.width)x\(image.height), expected \(size.width)x\(size.height)")
    }
    guard let text = png.text("parameters") else { return (.infotext, "holds no infotext") }
    if text != noted.infotext { return (.infotext, "has a different infotext than the journal records") }
    return nil
  }

  private static func digest(_ png: PNGFile) -> String {
    Hexadecimal.text(SHA256.hash(png.image.pixels))
  }
}
