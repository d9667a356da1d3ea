import Foundation
import Imaging
import JSON
import Runs

/// How a request ended, in the terms of serverless platforms.
public enum ResponseStatus: String, Sendable {
  /// All of its images exist.
  case completed = "COMPLETED"
  /// Some image could not be made.
  case failed = "FAILED"
  /// It took longer than its `policy` allows.
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
    /// The webui's `info`, an object.
    var info: JSONValue
  }

  var order: ResponseOrder
  var status: ResponseStatus
  /// Milliseconds from the start of the run to the start of the work on this request.
  var delayTime: Int64
  /// Milliseconds of work on it, in all runs.
  var executionTime: Int64
  /// nil if there is an error.
  var output: Output?
  var error: String?

  /// Writes the document, whole or not at all; images pass through memory one by one.
  ///
  /// - Parameters:
  ///   - path: The file; one that is there is replaced.
  ///   - disk: The disk.
  /// - Throws: `RunError` when an image cannot be read or the file not be written.
  func write(to path: String, on disk: Disk) throws {
    try DerivedFile.write(to: path, on: disk) { append in
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
                writer.string(try Self.bytes(file).base64EncodedString())
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
  }

  private static func bytes(_ path: String) throws -> Data {
    Data(try FileReader.bytes(of: path))
  }

  /// The images in a grid as in the webui, with about as many rows as columns; empty cells are white.
  private static func grid(_ output: Output) throws -> String {
    let images = try output.files.map { try PNGFile(decoding: [UInt8](bytes($0))).image }
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
    var texts: [PNGText] = []
    if let text = output.info["infotexts"]?.elements?.first?.text {
      texts.append(PNGText(keyword: "parameters", text: text))
    }
    let file = PNGFile(image: RGBImage(width: columns * width, height: rows * height, pixels: pixels), texts: texts)
    return Data(try file.encoded()).base64EncodedString()
  }
}
