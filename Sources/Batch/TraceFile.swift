import Foundation
import Jobs
import JSON

/// `trace.tsv`: one line for every image that was made: when it started, seconds, identity, file.
///
/// For people and spreadsheets; nothing is read from it, so it does not wait for the disk.
final class TraceFile {
  private let path: String
  private let disk: Disk
  private let descriptor: Int32

  init(_ folder: RunFolder, on disk: Disk) throws {
    path = folder.trace
    self.disk = disk
    descriptor = try disk.open(path, flags: O_CREAT | O_APPEND)
  }

  deinit { close(descriptor) }

  func append(_ image: FinishedImage) throws {
    let fields = [image.started.iso, image.seconds.map(PythonNumber.repr) ?? "", image.id.description, image.file]
    try disk.write(Array((fields.joined(separator: "\t") + "\n").utf8), to: descriptor, path: path)
  }
}
