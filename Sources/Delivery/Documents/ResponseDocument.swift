import Foundation
import Hashing
import Imaging
import JSON
import Runs
import Settings
import Text

/// How a request ended, in the terms of serverless platforms.
public enum ResponseStatus: String, Sendable {
  /// All images of the request exist.
  case completed = "COMPLETED"
  /// At least one image could not be made.
  case failed = "FAILED"
  /// The request took longer than its `policy` allows.
  case timedOut = "TIMED_OUT"
  /// The run was cancelled before it was done.
  case cancelled = "CANCELLED"
}

/// The answer to a request, as serverless platforms post it to a webhook: `responses/<id>.json`.
struct ResponseDocument {
  /// The result of a completed request.
  struct Output {
    /// Paths of the images, in order.
    var files: [String]
    /// The format of the images in the answer; nil to send the files as they are.
    var encoding: ImageEncoding?
    /// The webui's `info`, an object.
    var info: JSONValue
  }

  var order: ResponseOrder
  var status: ResponseStatus
  /// Milliseconds from the start of the run to the start of the work on this request.
  var delayTime: Int64
  /// Milliseconds of work on it, in all runs.
  var executionTime: Int64
  /// The result; nil if there is an error.
  var output: Output?
  var error: String?

  /// Writes the document; after a crash it is complete or missing. Only one image at a time is in memory.
  ///
  /// - Parameters:
  ///   - path: The file; an existing one is replaced.
  ///   - disk: The disk.
  /// - Returns: What the file can be recognised by.
  /// - Throws: `RunError` when an image cannot be read or the file not be written.
  func write(to path: String, on disk: Disk) throws -> DocumentMark {
    var hash = SHA256()
    let mark = try AtomicFile.write(to: path, on: disk) { file in
      let append = { (bytes: [UInt8]) in
        hash.update(bytes)
        try file.write(bytes)
      }
      var writer = JSONWriter()
      try writer.object { writer in
        writer.member("delayTime", delayTime)
        if let error { writer.member("error", error) }
        writer.member("executionTime", executionTime)
        writer.member("id", order.id)
        writer.member("input", order.input)
        if let output {
          writer.key("output")
          try writer.object { writer in
            writer.key("images")
            try writer.array { writer in
              guard order.sendsImages else { return }
              if order.makesGrid { writer.string(try Self.grid(output)) }
              for file in output.files {
                writer.string(Data(try Self.bytes(file, as: output.encoding)).base64EncodedString())
                try writer.flush(append)
              }
            }
            writer.member("info", PythonJSON.text(output.info))
            writer.member("parameters", order.parameters)
          }
        }
        writer.member("status", status.rawValue)
        if let webhook = order.webhook { writer.member("webhook", webhook.redacted) }
      }
      writer.endLine()
      try writer.flush(append)
    }
    return DocumentMark(mark: mark, sha256: Hexadecimal.text(hash.finalize()))
  }

  /// The bytes of an image for the answer. Requests with the same pixels share a file, so the file may have the format of
  /// another request.
  private static func bytes(_ path: String, as encoding: ImageEncoding?) throws -> [UInt8] {
    let bytes = try FileReader.bytes(of: path)
    guard let encoding, PictureFormat(of: bytes) != nil else { return bytes }
    let isAsAsked =
      path.hasSuffix(encoding.ending)
      && (encoding == .png || PictureFile.note(in: bytes)?.encoding == encoding.description)
    if isAsAsked { return bytes }
    // Use a lossless file of the same image if there is one next to it.
    let lossless = PictureFormat(of: bytes) == .png ? nil : try? FileReader.bytes(of: RunFolder.stem(of: path) + ".png")
    let picture = try PictureFile(decoding: lossless ?? bytes)
    return try EncodedImage.bytes(picture.image, text: picture.text("parameters"), as: encoding)
  }

  /// The images as a grid, as in the webui: about as many rows as columns, empty cells white.
  private static func grid(_ output: Output) throws -> String {
    let images = try output.files.map { try PictureFile(decoding: bytes($0, as: nil)).image }
    let (width, height) = (images[0].width, images[0].height)
    let rows = min(Int(Double(images.count).squareRoot().rounded(.toNearestOrEven)), images.count)
    let columns = (images.count + rows - 1) / rows
    var pixels = [UInt8](repeating: 255, count: columns * width * rows * height * 3)
    for (index, image) in images.enumerated() {
      let (left, top) = (index % columns * width, index / columns * height)
      for row in 0..<height {
        let target = ((top + row) * columns * width + left) * 3
        pixels.replaceSubrange(
          target..<(target + width * 3), with: image.pixels[(row * width * 3)..<((row + 1) * width * 3)])
      }
    }
    let text = output.info["infotexts"]?.elements?.first?.text
    let grid = RGBImage(width: columns * width, height: rows * height, pixels: pixels)
    // A grid may be larger than the format of its images allows.
    let isTooLong = max(grid.width, grid.height) > PictureFile.longestWebPSide
    return Data(try EncodedImage.bytes(grid, text: text, as: isTooLong ? .png : output.encoding ?? .png))
      .base64EncodedString()
  }
}
