import Foundation
import Hashing
import Imaging
import Settings
import Text

/// Takes images from other run folders, which do not change.
struct ImageReuse {
  let store: ImageStore
  let folder: RunFolder
  let disk: Disk

  /// Takes an image from another run folder if one of these files is still unchanged.
  ///
  /// The file gets a second name in this folder. It is copied instead if the folders are on different file systems, or if its
  /// text is not this job's text. If the job asks for other formats, they are made from a file that preserves the pixels. Files
  /// exist before this returns, but their names are durable only after `Disk.synchroniseFolder`.
  ///
  /// - Parameters:
  ///   - entries: Files that may contain the image.
  ///   - planned: The job.
  ///   - stem: The image's name here, relative to the run folder and without its extension.
  ///   - infotext: The text that the image has here.
  /// - Returns: The line for the journal; nil if no file can be used.
  /// - Throws: `RunError.notWritten` if this folder cannot be written.
  func take(
    _ entries: [ImageStore.Entry], for planned: IdentifiedJob, as stem: String, infotext: String
  ) throws -> FinishedImage? {
    let started = Timestamp.now()
    let encodings = planned.job.settings.encodings
    for entry in entries {
      let files: [StoredFile]
      if encodings.count == 1, try isEncoded(entry, as: encodings[0]) {
        let file = stem + encodings[0].ending
        let target = folder.file(file)
        guard let (mark, sha256) = try link(entry, to: target, infotext) ?? copy(entry, to: target, infotext) else {
          continue
        }
        files = [StoredFile(file: file, encoding: encodings[0], mark: mark, sha256: sha256)]
      } else {
        guard let image = pixels(of: entry) else { continue }
        do {
          files = try ImageBytes(image, infotext: infotext, faces: entry.faces)
            .write(as: encodings, to: stem, in: folder, on: disk)
        } catch is ImagingError {
          continue
        }
      }
      return FinishedImage(
        id: planned.id, index: planned.job.index, file: files[0].file, mark: files[0].mark, sha256: files[0].sha256,
        pixelsSHA256: entry.pixelsSHA256, started: started, seconds: nil, infotext: infotext, faces: entry.faces,
        reusedFrom: entry.path, identity: planned.identity, encoding: encodings[0],
        others: Array(files.dropFirst()))
    }
    return nil
  }

  /// Whether the file is encoded as the job asks.
  private func isEncoded(_ entry: ImageStore.Entry, as encoding: ImageEncoding) throws -> Bool {
    guard entry.path.hasSuffix(encoding.ending) else { return false }
    if encoding == .png { return true }
    guard let bytes = try? FileReader.bytes(of: entry.path), let note = PictureFile.note(in: bytes) else {
      return false
    }
    return note.encoding == encoding.description && note.pixels == entry.pixelsSHA256
  }

  /// The pixels of a file that preserves them.
  private func pixels(of entry: ImageStore.Entry) -> RGBImage? {
    guard let bytes = try? FileReader.bytes(of: entry.path), Self.isWhole(bytes, entry),
      let picture = try? PictureFile(decoding: bytes), picture.isLossless,
      Hexadecimal.text(SHA256.hash(picture.image.pixels)) == entry.pixelsSHA256
    else { return nil }
    return picture.image
  }

  /// Gives the file a second name; nil if that is not possible, or if the file is not the expected one.
  private func link(
    _ entry: ImageStore.Entry, to target: String, _ infotext: String
  ) throws -> (FileMark, sha256: String)? {
    // It is compared under its new name, so a change of the old name does not matter.
    let temporary = TemporaryFile.name(of: target, on: disk)
    guard try disk.linkExisting(entry.path, to: temporary) else { return nil }
    // After a rename, there is nothing left to remove, unless both names belong to one file already.
    defer { unlink(temporary) }
    let descriptor = uninterrupted { open(temporary, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW) }
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    guard let lock = try TemporaryFile.lock(descriptor, temporary, LOCK_SH) else { return nil }
    defer { close(lock) }
    guard let mark = try? FileMark(path: temporary), let bytes = try? FileReader.bytes(of: temporary),
      Self.isWhole(bytes, entry), Self.text(of: bytes) == infotext
    else { return nil }
    try disk.rename(temporary, to: target)
    return (mark, entry.sha256)
  }

  /// Copies the file, with this job's text.
  private func copy(
    _ entry: ImageStore.Entry, to target: String, _ infotext: String
  ) throws -> (FileMark, sha256: String)? {
    guard let bytes = try? FileReader.bytes(of: entry.path), Self.isWhole(bytes, entry) else { return nil }
    if Self.text(of: bytes) == infotext {
      let mark = try AtomicFile.write(to: target, on: disk) { file in try file.write(bytes) }
      return (mark, entry.sha256)
    }
    guard let rewritten = try? PictureFile.replacingText(of: bytes, by: infotext) else { return nil }
    return (
      try AtomicFile.write(rewritten, to: target, on: disk), Hexadecimal.text(SHA256.hash(rewritten))
    )
  }

  private static func isWhole(_ bytes: [UInt8], _ entry: ImageStore.Entry) -> Bool {
    Hexadecimal.text(SHA256.hash(bytes)) == entry.sha256
  }

  private static func text(of bytes: [UInt8]) -> String? {
    (try? PictureFile.texts(in: bytes))?.first { $0.keyword == "parameters" }?.text
  }
}
