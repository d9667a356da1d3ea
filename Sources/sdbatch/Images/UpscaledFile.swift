import Hashing
import Foundation
import Imaging
import JSON
import Runs
import Text

/// An image to enlarge, and the file to write.
struct UpscaledFile {
  let source: String
  let target: String

  private static let keyword = "postprocessing"

  /// The images that the paths name, directly or through the folder of their run; of a run's images, only those with stars if
  /// `picksOnly` is set.
  ///
  /// Throws `UpscaleError` if there are none, or if two of them would become the same file.
  static func all(of paths: [String], in folder: String?, subfolder: String = "upscaled", picksOnly: Bool = false)
    throws -> [UpscaledFile]
  {
    var files: [UpscaledFile] = []
    var targets: Set<String> = []
    func add(_ source: String, in usual: String, below root: String? = nil) throws {
      // The result is always a PNG, which is lossless.
      let name = URL(fileURLWithPath: source)
      let isPNG = name.pathExtension.lowercased() == "png"
      // The folders of a run's images are kept.
      let below = root.flatMap { source.hasPrefix($0 + "/") ? String(source.dropFirst($0.count + 1)) : nil }
      let relative = URL(fileURLWithPath: below ?? name.lastPathComponent, relativeTo: URL(fileURLWithPath: "/"))
      let target = URL(fileURLWithPath: folder ?? usual).appendingPathComponent(
        String((isPNG ? relative : relative.deletingPathExtension().appendingPathExtension("png")).path.dropFirst())
      ).standardizedFileURL.path
      guard targets.insert(target).inserted, target != URL(fileURLWithPath: source).standardizedFileURL.path else {
        throw UpscaleError.sameName(path: target)
      }
      files.append(UpscaledFile(source: source, target: target))
    }
    for path in paths {
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
        throw UpscaleError.notRead(path: path, reason: "there is no such file or folder")
      }
      guard isFolder.boolValue else {
        let beside = URL(fileURLWithPath: path).deletingLastPathComponent().appendingPathComponent(subfolder).path
        try add(path, in: beside)
        continue
      }
      let run = RunFolder(path)
      let picks = picksOnly ? try Picks(of: run) : nil
      let images = try RunImages(run).entries.filter { picks?.isPicked($0.id) != false }.compactMap(\.path)
      if picks != nil, images.isEmpty {
        throw UpscaleError.notRead(path: run.picks, reason: "no image of the run has stars in it")
      }
      // Equal cells share an image.
      var seen: Set<String> = []
      for image in images where seen.insert(image).inserted {
        try add(image, in: "\(path)/\(subfolder)", below: run.images)
      }
    }
    DerivedFile.removeLeftovers(of: files.map(\.target))
    return files
  }

  /// The image with its texts; for a JPEG or WebP, the texts as a PNG stores them.
  func read() throws -> PNGFile {
    do {
      guard let bytes = try? FileReader.bytes(of: source) else {
        throw UpscaleError.notRead(path: source, reason: "cannot be read")
      }
      return try PictureFile(decoding: bytes).png
    } catch let error as ImagingError {
      throw UpscaleError.notRead(path: source, reason: "\(error)")
    }
  }

  /// Whether the file exists, is complete, and was made from these pixels in the same way.
  func isMade(from original: PNGFile, text: String, restoredBy model: String? = nil) -> Bool {
    guard let bytes = try? FileReader.bytes(of: target), let file = try? PNGFile(decoding: bytes) else { return false }
    return file.texts == texts(of: original, text, model)
  }

  /// Writes the enlarged image.
  func write(_ image: RGBImage, from original: PNGFile, text: String, restoredBy model: String? = nil) throws {
    let bytes = try PNGFile(image: image, texts: texts(of: original, text, model)).encoded()
    try DerivedFile.makeFolder((target as NSString).deletingLastPathComponent)
    try DerivedFile.write(to: target, on: Disk(isShared: true)) { sink in try sink(bytes) }
  }

  private func texts(of original: PNGFile, _ text: String, _ model: String?) -> [PNGText] {
    original.texts.filter { $0.keyword != Self.keyword }.map { own in
      guard let model, own.keyword == "parameters" else { return own }
      return PNGText(keyword: own.keyword, text: Self.restored(own.text, by: model))
    } + [PNGText(keyword: Self.keyword, text: text)]
  }

  /// An infotext that says what restored the faces, at the same position as in the webui: after the seed. It stays unchanged if
  /// it already says so.
  static func restored(_ infotext: String, by model: String) -> String {
    var lines = infotext.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard let last = lines.indices.last, lines[last].contains(": "), !lines[last].contains("Face restoration: ") else {
      return infotext
    }
    let key = "Face restoration: \(model)"
    if let seed = lines[last].firstMatch(of: #/(?:^|, )Seed: -?[0-9]+/#) {
      lines[last].insert(contentsOf: ", \(key)", at: seed.range.upperBound)
    } else {
      lines[last] += ", \(key)"
    }
    return lines.joined(separator: "\n")
  }

  /// The first digits of the SHA-256 of the pixels.
  static func digest(of image: RGBImage) -> String {
    String(Hexadecimal.text(SHA256.hash(image.pixels)).prefix(10))
  }
}
