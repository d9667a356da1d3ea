import JSON
import Settings

/// A file that contains an image: one of several if the image is kept in several formats.
struct StoredFile: Hashable {
  /// Relative to the run folder.
  var file: String
  var encoding: ImageEncoding
  var mark: FileMark
  /// The hash of the file.
  var sha256: String
}

extension StoredFile {
  /// The file as an item of a journal's `also`.
  func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("file", file)
      writer.member("encoding", encoding.description)
      writer.member("size", mark.size)
      writer.member("modified", mark.modified)
      writer.member("sha256", sha256)
    }
  }

  /// Reads what `write` wrote; nil for anything else.
  init?(_ json: JSONValue) {
    guard let file = json["file"]?.text, RunFolder.isImageName(file),
      let encoding = json["encoding"]?.text.flatMap({ ImageEncoding($0) }), let size = json["size"]?.integerValue,
      let modified = json["modified"]?.integerValue, let sha256 = json["sha256"]?.text
    else { return nil }
    self.init(file: file, encoding: encoding, mark: FileMark(size: size, modified: modified), sha256: sha256)
  }

  /// Reads a journal's `also`; nil if an item is damaged.
  static func all(_ json: JSONValue) -> [StoredFile]? {
    guard let elements = json.elements else { return nil }
    let files = elements.compactMap { StoredFile($0) }
    return files.count == elements.count ? files : nil
  }
}

extension FinishedImage {
  /// The main file, then the others.
  var files: [StoredFile] {
    [StoredFile(file: file, encoding: encoding, mark: mark, sha256: sha256)] + others
  }

  /// The same image with these files; there is at least one.
  func with(_ files: [StoredFile]) -> FinishedImage {
    guard let first = files.first else { return self }
    var image = self
    (image.file, image.encoding, image.mark, image.sha256) = (first.file, first.encoding, first.mark, first.sha256)
    image.others = Array(files.dropFirst())
    return image
  }

  /// The same image, also with the files of the same pixels that an earlier line names, if they are still on the disk.
  func keepingFiles(of earlier: FinishedImage, in folder: RunFolder) -> FinishedImage {
    guard earlier.pixelsSHA256 == pixelsSHA256, earlier.infotext == infotext else { return self }
    let names = Set(files.map(\.file))
    let kept = earlier.files.filter { file in
      !names.contains(file.file) && (try? FileMark(path: folder.file(file.file))) == file.mark
    }
    return with(files + kept)
  }

  /// The same image, with the files of these encodings first, in this order, then those of the other files that are on the
  /// disk.
  func sorted(by encodings: [ImageEncoding], in folder: RunFolder) -> FinishedImage {
    let files = files
    let wanted = encodings.compactMap { encoding in files.first { $0.encoding == encoding } }
    let rest = files.filter { file in
      !wanted.contains(file) && (try? FileMark(path: folder.file(file.file))) != nil
    }
    return with(wanted + rest)
  }
}
