import Foundation
import Settings
import Text

/// The folder of one run, and the paths of its files.
public struct RunFolder: Hashable, Sendable {
  /// The absolute path.
  public let path: String

  /// The folder at a path, which need not exist.
  ///
  /// - Parameter path: Absolute, or relative to the present current folder.
  public init(_ path: String) {
    let absolute = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    self.path = (absolute as NSString).standardizingPath
  }

  /// The images.
  public var images: String { "\(path)/images" }
  /// Thumbnails for `page`; each has the name of its image.
  public var thumbnails: String { "\(path)/thumbs" }
  /// The run for a browser; made from plan and journal.
  public var page: String { "\(path)/index.html" }
  /// The run and every job, for programs to read; made from plan and journal.
  public var manifest: String { "\(path)/manifest.json" }
  /// Every job as it was planned when the run started, one per line.
  public var plan: String { "\(path)/plan.jsonl" }
  /// What was done: one line for each finished image and each failed job; shards have their own journals in the same folder.
  public var journal: String { "\(path)/\(JournalFiles.main)" }
  /// All journals that exist.
  public var journals: [String] { JournalFiles(self).names.map(file) }
  /// The seeds that were drawn for -1.
  public var seeds: String { "\(path)/seeds.json" }
  /// When each image was made, and how much time and memory it took, for people and spreadsheets.
  public var trace: String { "\(path)/trace.tsv" }
  /// The time that each layer took, if the run was asked to measure it.
  public var profile: String { "\(path)/profile.tsv" }
  /// Unfinished images, one file for each.
  public var checkpoints: String { "\(path)/checkpoints" }
  /// Which jobs crashed the process; exists only if some did.
  public var crashes: String { "\(path)/crashes.log" }
  /// The progress of the current image; exists only during a run.
  public var progress: String { "\(path)/progress.json" }
  /// The recipe with everything that took effect.
  public var recipe: String { "\(path)/recipe.yaml" }
  /// The responses to requests, one file for each.
  public var responses: String { "\(path)/responses" }
  /// Which requests have responses, one line for each response.
  public var responseRecord: String { "\(path)/responses.jsonl" }
  /// What still has to be announced.
  public var outbox: String { "\(path)/outbox" }
  /// Locked by the process that uses the folder.
  public var lock: String { "\(path)/run.lock" }

  /// The path of a file of the run, given its name in the journal and the manifest.
  public func file(_ relative: String) -> String { "\(path)/\(relative)" }

  /// The name of a file of the run, relative to the folder, as the journal and the manifest have it.
  public func name(of file: String) -> String {
    file.hasPrefix(path + "/") ? String(file.utf8.dropFirst(path.utf8.count + 1)) ?? file : file
  }

  /// The name of an image's thumbnail, relative to the folder.
  ///
  /// - Parameter image: The image's name in the journal.
  /// - Returns: The name of a PNG in `thumbs/`, for every format of the image.
  public static func thumbnail(of image: String) -> String {
    "thumbs/" + stem(of: image).dropFirst("images/".count) + ".png"
  }

  /// The name of a new image without its extension: the job's index, its seed, and the first digits of its identity.
  ///
  /// - Parameters:
  ///   - job: The job.
  ///   - id: Its identity.
  ///   - digits: How many digits of the identity; more than 8 only if two images would have the same name.
  /// - Returns: The path relative to the run folder.
  static func imageStem(_ job: Job, _ id: JobID, digits: Int = 8) -> String {
    "images/\(job.index.padded(to: 5))-\(job.settings.seed)-\(id.prefix(digits))"
  }

  /// The folders in a folder of images and all folders in them, as `/`-separated paths relative to it; the folder itself is the
  /// empty path.
  ///
  /// - Parameter folder: `images/` or `thumbs/`, which need not exist.
  /// - Returns: The paths in order.
  static func folders(in folder: String) -> [String] {
    var found = [""]
    var next = 0
    while next < found.count {
      let parent = found[next]
      next += 1
      guard parent.utf8.count(where: { $0 == UInt8(ascii: "/") }) < FileNamePattern.depthLimit else { continue }
      for name in AtomicFile.ownFolders(in: "\(folder)/\(parent)").sorted() where !name.hasPrefix(".") {
        found.append(parent.isEmpty ? name : "\(parent)/\(name)")
      }
    }
    return found
  }

  /// The images in a folder and in its folders.
  ///
  /// - Parameters:
  ///   - folder: `images/`.
  ///   - prefix: What comes before each name.
  /// - Returns: Their names.
  static func images(in folder: String, prefix: String) -> [String] {
    folders(in: folder).flatMap { path in
      ((try? AtomicFile.names(in: "\(folder)/\(path)")) ?? []).filter { hasImageEnding($0) && !$0.hasPrefix(".") }
        .map { prefix + (path.isEmpty ? "" : path + "/") + $0 }
    }
  }

  /// The name of an image's file without its extension.
  public static func stem(of name: String) -> String {
    for ending in ImageEncoding.endings where name.hasSuffix(ending) { return String(name.dropLast(ending.count)) }
    return name
  }

  /// Whether a name has the extension of an image file.
  static func hasImageEnding(_ name: String) -> Bool { ImageEncoding.endings.contains { name.hasSuffix($0) } }

  /// The name of the file that keeps an image as it was before its faces were restored: with the webui's suffix.
  static func nameBeforeFaces(_ imageName: String) -> String {
    stem(of: imageName) + beforeFaces + imageName.dropFirst(stem(of: imageName).count)
  }

  /// For a file that keeps an earlier state of an image, the image's name without its extension; for other files, their own.
  static func stemAfterFaces(_ name: String) -> String {
    let stem = stem(of: name)
    return stem.hasSuffix(beforeFaces) ? String(stem.dropLast(beforeFaces.count)) : stem
  }

  private static let beforeFaces = "-before-face-restoration"

  /// Whether a name from the journal is a file in `images/` or in one of its folders.
  static func isImageName(_ name: String) -> Bool {
    let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    // Not `.` or `..`, and not a file that is being written.
    return (2...FileNamePattern.depthLimit + 2).contains(parts.count) && parts[0].elementsEqual("images".utf8)
      && parts.allSatisfy { !$0.isEmpty && $0.first != UInt8(ascii: ".") && !$0.contains(0) } && hasImageEnding(name)
  }
}

/// The draws for seeds of -1; they are kept so that a run has the same seeds when it is resumed or edited.
public enum SeedFile {
  /// Reads the stored draws.
  ///
  /// - Parameters:
  ///   - type: The type that was given to `write`.
  ///   - folder: The run.
  /// - Returns: The draws; nil if the folder has none.
  /// - Throws: `RunError` for a file that cannot be read or contains something else.
  public static func read<Seeds: Decodable>(_ type: Seeds.Type, from folder: RunFolder) throws -> Seeds? {
    do {
      return try JSONDecoder().decode(type, from: Data(FileReader.bytes(of: folder.seeds)))
    } catch RunError.notRead(_, let code) where code == ENOENT || code == ENOTDIR {
      return nil
    } catch is DecodingError {
      throw damage(folder)
    }
  }

  static func damage(_ folder: RunFolder) -> RunError {
    .damaged(
      path: folder.seeds,
      problem: "expected an object with a whole number from 0 on for each seed; remove it to draw new seeds")
  }

  /// Stores draws; a file that has the same draws stays unchanged.
  ///
  /// - Parameters:
  ///   - seeds: The draws.
  ///   - folder: The run, whose lock is held.
  ///   - disk: The disk.
  /// - Throws: `RunError.notWritten`, or what encoding throws.
  public static func write(_ seeds: some Encodable, to folder: RunFolder, on disk: Disk = Disk()) throws {
    let bytes = try bytes(of: seeds)
    try disk.makeFolder(folder.path)
    try AtomicFile.write(to: folder.seeds, on: disk, keepsEqual: true) { file in try file.write(bytes) }
  }

  /// Stores draws unless there are some already: if several shards draw at once, the first one's draws count.
  ///
  /// - Parameters:
  ///   - seeds: The draws.
  ///   - folder: The run, in which other shards may be working.
  ///   - disk: The disk.
  /// - Returns: Whether these draws are the stored ones.
  /// - Throws: `RunError.notWritten`, or what encoding throws.
  public static func writeFirst(_ seeds: some Encodable, to folder: RunFolder, on disk: Disk = Disk()) throws -> Bool {
    let bytes = try bytes(of: seeds)
    try disk.makeFolder(folder.path)
    return try AtomicFile.writeFirst(to: folder.seeds, on: disk.shared) { file in try file.write(bytes) }
  }

  private static func bytes(of seeds: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    return Array(try encoder.encode(seeds)) + [UInt8(ascii: "\n")]
  }
}
