import Foundation
import Settings

/// Gives the files of an image other names, in a way that survives a kill at any time.
///
/// First the files get their new names in addition to the old ones, then the journal gets a line with the new names, then the
/// old names are removed. So the journal always names files that exist. The next run finds old names that remain after a kill:
/// the same file with a name that no line has.
struct ImageRenaming {
  let folder: RunFolder
  let disk: Disk
  let journal: Journal

  /// Renames the files of an image, and their thumbnail.
  ///
  /// - Parameters:
  ///   - image: The journal's line.
  ///   - stem: The new name without its extension.
  /// - Returns: The new line, which is in the journal; nil if another file has the name.
  /// - Throws: `RunError`.
  func rename(_ image: FinishedImage, to stem: String) throws -> FinishedImage? {
    let old = RunFolder.stem(of: image.file)
    if old == stem { return image }
    // Files in other formats may have been deleted by hand.
    let files = image.files.filter { access(folder.file($0.file), F_OK) == 0 }
    guard !files.isEmpty, isFree(stem, for: image) else { return nil }
    let target = (folder.file(stem) as NSString).deletingLastPathComponent
    try disk.makeFolder(ofFile: folder.file(stem), below: folder.images)
    var renamed: [StoredFile] = []
    for var file in files {
      let name = stem + file.encoding.ending
      guard try disk.link(folder.file(file.file), to: folder.file(name)) else { return nil }
      file.file = name
      renamed.append(file)
    }
    let earlier = ImageEncoding.endings.filter { access(folder.file(RunFolder.nameBeforeFaces(old + $0)), F_OK) == 0 }
    for ending in earlier {
      _ = try disk.link(
        folder.file(RunFolder.nameBeforeFaces(old + ending)), to: folder.file(RunFolder.nameBeforeFaces(stem + ending)))
    }
    try disk.synchroniseFolder(target)
    let result = image.with(renamed)
    try journal.append(.done(result))
    for file in files { try disk.remove(folder.file(file.file)) }
    for ending in earlier { try disk.remove(folder.file(RunFolder.nameBeforeFaces(old + ending))) }
    moveThumbnail(from: old, to: stem)
    try removeEmptyFolders(of: old)
    return result
  }

  /// Whether no other file has the name, with any extension.
  private func isFree(_ stem: String, for image: FinishedImage) -> Bool {
    let own = Set(image.files.compactMap { FileNumber(folder.file($0.file)) })
    return ImageEncoding.endings.allSatisfy { ending in
      // A run that was killed may already have given this file the name.
      FileNumber(folder.file(stem + ending)).map(own.contains) ?? (access(folder.file(stem + ending), F_OK) != 0)
    }
  }

  /// If this fails, the thumbnail is made again later.
  private func moveThumbnail(from old: String, to stem: String) {
    let (source, target) = (
      folder.file(RunFolder.thumbnail(of: old + ".png")), folder.file(RunFolder.thumbnail(of: stem + ".png"))
    )
    guard access(source, F_OK) == 0 else { return }
    try? disk.makeFolder((target as NSString).deletingLastPathComponent)
    try? disk.rename(source, to: target)
    try? removeEmptyFolders(of: RunFolder.thumbnail(of: old + ".png"))
  }

  private func removeEmptyFolders(of name: String) throws {
    var parts = name.split(separator: "/").map(String.init)
    parts.removeLast()
    while parts.count > 1, try disk.removeEmptyFolder(folder.file(parts.joined(separator: "/"))) { parts.removeLast() }
  }

  /// Removes the old names that a killed run left: names of files that have another name in the journal now, and that an
  /// earlier journal line has. A name that no line ever had belongs to somebody else.
  func removeLeftNames() throws {
    let images = journal.index.images.values
    let known = Set(images.lazy.flatMap(\.files.names))
    let unknown = RunFolder.images(in: folder.images, prefix: "images/").filter { !known.contains($0) }
    let candidates = unknown.compactMap { name in
      FileNumber(folder.file(name)).flatMap { $0.names > 1 ? (name, $0) : nil }
    }
    if candidates.isEmpty { return }
    var earlier: Set<String> = []
    _ = try JournalIndex(folder) { _, _, line in
      if case .done(let files, _)? = line?.event { earlier.insert(RunFolder.stem(of: files.file)) }
    }
    let numbers = Set(known.flatMap { [$0, RunFolder.nameBeforeFaces($0)] }.compactMap { FileNumber(folder.file($0)) })
    for (name, number) in candidates
    where earlier.contains(RunFolder.stemAfterFaces(name)) && numbers.contains(number) {
      try disk.remove(folder.file(name))
      try removeEmptyFolders(of: name)
    }
  }
}

/// Which file it is, whatever its names are.
private struct FileNumber: Hashable {
  private let device: dev_t
  private let number: ino_t
  /// How many names it has.
  let names: Int

  /// The number of a file; nil if there is none.
  init?(_ path: String) {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    (device, number, names) = (status.st_dev, status.st_ino, Int(status.st_nlink))
  }

  static func == (one: FileNumber, other: FileNumber) -> Bool {
    one.device == other.device && one.number == other.number
  }

  func hash(into hasher: inout Hasher) {
    hasher.combine(device)
    hasher.combine(number)
  }
}
