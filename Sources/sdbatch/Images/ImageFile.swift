import Foundation
import Imaging
import Infotext
import JSON
import Runs
import Settings

/// An image file with the settings in its text.
struct ImageFile {
  /// The path as the caller wrote it.
  let path: String
  let image: RGBImage
  let picture: PictureFile
  /// The text under `parameters`.
  let infotext: ParsedInfotext
  let settings: InfotextSettings

  /// The format, for people.
  var format: String {
    picture.format.rawValue
      + (picture.format == .png ? "" : picture.isLossless ? " (lossless)" : "")
  }

  /// The manifest of the run to which the image belongs; nil for other images.
  var manifest: JSONValue? {
    var folder = URL(fileURLWithPath: path).standardizedFileURL.deletingLastPathComponent()
    // Names may contain folders.
    for _ in 0..<FileNamePattern.depthLimit where folder.lastPathComponent != "images" {
      folder.deleteLastPathComponent()
    }
    guard folder.lastPathComponent == "images",
      let bytes = try? FileReader.bytes(
        of: folder.deletingLastPathComponent().appendingPathComponent("manifest.json").path)
    else { return nil }
    return try? JSONValue(parsing: String(decoding: bytes, as: UTF8.self))
  }

  /// The keyword of the webui's text.
  private static let keyword = "parameters"

  /// Reads an image; throws `ImageFileError` if it is not a PNG, JPEG or WebP file, or has no text in the webui's form.
  init(path: String) throws {
    self.path = path
    let file: PictureFile
    do {
      file = try PictureFile(decoding: try Self.bytes(path))
    } catch let error as ImagingError {
      throw ImageFileError.damaged(path: path, reason: "\(error)")
    }
    image = file.image
    picture = file
    guard let text = file.text(Self.keyword) else {
      throw ImageFileError.noInfotext(path: path, format: file.format, keywords: file.texts.map(\.keyword))
    }
    infotext = ParsedInfotext(text)
    guard !infotext.items.isEmpty else { throw ImageFileError.noSettings(path: path) }
    settings = InfotextSettings(infotext, width: image.width, height: image.height)
  }

  /// Reads an image file completely; of other files, which may have gigabytes, only the beginning.
  private static func bytes(_ path: String) throws -> [UInt8] {
    var opened: UnsafeMutablePointer<FILE>?
    // On network file systems, a signal may interrupt this.
    repeat { opened = fopen(path, "rb") } while opened == nil && errno == EINTR
    guard let file = opened else { throw ImageFileError.notRead(path: path, code: errno) }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    var count = 0
    while true {
      let read = bytes.withUnsafeMutableBytes { fread($0.baseAddress.map { $0 + count }, 1, $0.count - count, file) }
      if read == 0, ferror(file) != 0 {
        // A folder can be opened but not read.
        throw errno == EISDIR ? ImageFileError.notImage(path: path) : ImageFileError.notRead(path: path, code: errno)
      }
      let isFirst = count == 0
      count += read
      guard !isFirst || PictureFormat(of: bytes[..<count]) != nil else { throw ImageFileError.notImage(path: path) }
      if read == 0 { return Array(bytes[..<count]) }
      if count == bytes.count { bytes += [UInt8](repeating: 0, count: bytes.count) }
    }
  }
}

/// Why a file cannot be inspected, or its image cannot be made again.
enum ImageFileError: InputFailure, CustomStringConvertible {
  /// The system refused to read; `code` is an `errno`.
  case notRead(path: String, code: Int32)
  /// The file is not a PNG, JPEG or WebP file.
  case notImage(path: String)
  /// The file is one of these, but damaged.
  case damaged(path: String, reason: String)
  /// It has no text in the webui's form.
  case noInfotext(path: String, format: PictureFormat, keywords: [String])
  /// Its text names no settings.
  case noSettings(path: String)
  /// Settings that are needed are missing in its text.
  case notEnough(path: String, remarks: [InfotextSettings.Remark])
  /// Its text does not name a model.
  case namelessModel(path: String)
  /// The model or VAE that its text names was not found.
  case noModel(path: String, wanted: String, folders: [String], found: [String], option: String)
  /// A LoRA or an embedding that its text names was not found.
  case noAdapter(path: String, folders: [String], problems: [String])
  /// The model or VAE that the command line names was not found.
  case notFound(option: String, name: String, folders: [String])
  /// The settings on the command line give several images.
  case severalImages(Int)
  /// The engine could not make the image.
  case notMade(path: String, reason: String)

  var description: String {
    switch self {
    case .notRead(let path, let code): "cannot read \(path): \(String(cString: strerror(code)))"
    case .notImage(let path):
      Self.isModel(path)
        ? "\(path) is a model, expected a PNG, JPEG or WebP file" : "\(path) is not a PNG, JPEG or WebP file"
    case .damaged(let path, let reason): "\(path): \(reason)"
    case .noInfotext(let path, let format, _) where format != .png:
      "\(path): the \(format.rawValue) file has no EXIF UserComment, as the webui and sdbatch write it"
    case .noInfotext(let path, _, let keywords):
      "\(path): the PNG has no text under \"parameters\", as the webui and sdbatch write it"
        + (keywords.isEmpty ? "" : "; it has \(keywords.map { "\"\($0)\"" }.joined(separator: ", "))")
    case .noSettings(let path):
      "\(path): the text under \"parameters\" has no line of settings, such as \"Steps: 20, Sampler: Euler, ...\""
    case .notEnough(let path, let remarks):
      "\(path): its text does not have everything that is needed to make the image again: "
        + remarks.map(\.description).joined(separator: "; ")
    case .namelessModel(let path): "\(path): its text names no model; name the model's file with --model"
    case .noModel(let path, let wanted, let folders, let found, let option):
      "\(path): was made with \(wanted), which is not in \(folders.joined(separator: ", "))"
        + found.map { "; found \($0)" }.joined() + "; name the file with \(option)"
    case .noAdapter(let path, let folders, let problems):
      "\(path): was made with networks that are not in lora/, Lora/ or embeddings/ of \(folders.joined(separator: ", ")): "
        + problems.joined(separator: "; ")
    case .notFound(let option, let name, let folders):
      "\(option): found \"\(name)\", expected a file or folder, but there is none in \(folders.joined(separator: ", "))"
    case .severalImages(let count): "--set results in \(count) images, expected values for one"
    case .notMade(let path, let reason): "\(path): the image could not be made again: \(reason)"
    }
  }

  /// Whether the name belongs to a model file, or the folder contains a model's files.
  static func isModel(_ path: String) -> Bool {
    let names = [".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf"]
    if names.contains(where: { path.lowercased().hasSuffix($0) }) { return true }
    return ["model_index.json", "unet/config.json", "config.json"].contains {
      FileManager.default.fileExists(atPath: path + "/" + $0)
    }
  }
}
