import Foundation

/// Finds a model by a name copied from the webui or from another machine, if no folder has exactly this name.
extension ModelLocator {
  /// The result of a search.
  public enum Finding: Hashable, Sendable {
    /// This file or folder was found.
    case found(String)
    /// Several files were found, which differ only in their folders.
    case several([String])
    /// A file has the name, but not the hash after it.
    case otherHash(path: String)
    /// Nothing was found.
    case nothing
  }

  /// Finds a model.
  ///
  /// If a folder has exactly this name, the name always means that file. Otherwise these are tried, in this order:
  ///
  /// * the name with `/` instead of Windows's backslashes; for a whole Windows path, only the file's name;
  /// * a file in a subfolder of the folders of models, by its name with or without extension and folders;
  /// * the same, ignoring letter case;
  /// * the webui's title, `name [hash]`, and a hash alone: the first 10 digits of the SHA-256, all 64, or the 8 digits of the
  /// old hash.
  ///
  /// The first folder with a match is used. If it has several matches, the name is ambiguous, except that a folder called VAE
  /// is for VAEs.
  ///
  /// - Parameters:
  ///   - name: What the user wrote.
  ///   - isVAE: Whether the name is for a VAE.
  /// - Returns: The result of the search.
  public func find(_ name: String, asVAE isVAE: Bool = false) -> Finding {
    if let path = exactPath(of: name) { return .found(path) }
    guard !name.isEmpty, !name.utf8.contains(0), !name.hasPrefix("/"), !name.hasPrefix("~") else { return .nothing }
    let title = ModelTitle(name)
    let listing = listing()
    let named = named(title.name, in: listing)
    if let hash = title.hash {
      if let path = named.first(where: { hasHash($0, hash) }) { return .found(path) }
      let others = withHash(hash, in: listing)
      if !others.isEmpty { return Self.finding(others, isVAE) }
      // If hashes cannot be computed, the name decides.
      if named.count == 1, environment.hashes != nil { return .otherHash(path: named[0]) }
    }
    if !named.isEmpty { return Self.finding(named, isVAE) }
    return Self.finding(ModelTitle.isHash(title.name) ? withHash(title.name.lowercased(), in: listing) : [], isVAE)
  }

  private static func finding(_ paths: [String], _ isVAE: Bool) -> Finding {
    let fitting = paths.filter { $0.lowercased().split(separator: "/").dropLast().contains("vae") == isVAE }
    if paths.count > 1, fitting.count == 1 { return .found(fitting[0]) }
    return switch paths.count {
    case 0: .nothing
    case 1: .found(paths[0])
    default: .several(paths)
    }
  }

  /// The names of model files in the folders and subfolders, to suggest instead of a missing one; for long names, also without
  /// extension, because users write them that way.
  func knownNames() -> [String] {
    var seen: Set<String> = []
    let names = listing().flatMap { $0 }.map { ($0 as NSString).lastPathComponent }.filter { seen.insert($0).inserted }
    // Most short names are close to any other name.
    let stems = names.map(Self.stem).filter { $0.count > 3 && seen.insert($0).inserted }
    return ["demo"] + names.prefix(5000) + stems.prefix(5000)
  }

  // MARK: Names

  /// The files with this name in the first folder that has any.
  private func named(_ name: String, in listing: [[String]]) -> [String] {
    let wanted = name.split(separator: "/").map(String.init)
    guard !wanted.isEmpty, !wanted.contains("..") else { return [] }
    if let path = exactPath(of: name) { return [path] }
    for folder in listing {
      let found = folder.filter { Self.has($0, wanted) }
      if !found.isEmpty { return Self.distinct(found) }
    }
    let lowercased = wanted.map { $0.lowercased() }
    return Self.distinct(listing.flatMap { $0 }.filter { Self.has($0.lowercased(), lowercased) })
  }

  /// Whether a path ends with these components; the last one may lack its extension.
  private static func has(_ path: String, _ wanted: [String]) -> Bool {
    let parts = path.split(separator: "/")
    guard parts.count >= wanted.count, let file = parts.last, let last = wanted.last else { return false }
    return zip(parts.suffix(wanted.count).dropLast(), wanted.dropLast()).allSatisfy { $0 == $1 }
      && (file == last || stem(String(file)) == last)
  }

  /// The paths without those that lead to the same file as an earlier path.
  private static func distinct(_ paths: [String]) -> [String] {
    var seen: Set<String> = []
    return paths.filter { seen.insert(URL(fileURLWithPath: $0).resolvingSymlinksInPath().path).inserted }
  }

  // MARK: Hashes

  private func hasHash(_ path: String, _ hash: String) -> Bool {
    guard Self.isFile(path), let hashes = environment.hashes?(path) else { return false }
    if hash.count == 8, hashes.old == hash { return true }
    return hashes.sha256()?.hasPrefix(hash) == true
  }

  private func withHash(_ hash: String, in listing: [[String]]) -> [String] {
    guard let hashes = environment.hashes else { return [] }
    let files = Self.distinct(listing.flatMap { $0 }).filter(Self.isFile)
    if hash.count == 8 {
      // Reading 64 KiB of each file is cheap.
      let old = files.filter { hashes($0)?.old == hash }
      if !old.isEmpty { return old }
    }
    let found = files.filter { hashes($0)?.sha256()?.hasPrefix(hash) == true }
    // Copies of one file are the same model.
    return hash.count >= 10 ? Array(found.prefix(1)) : found
  }

  // MARK: Folders

  /// Folders for other kinds of files, in lower case: those of the webui, and those of this program.
  private static let otherFolders: Set<String> = [
    "lora", "loras", "lycoris", "embeddings", "upscalers", "wildcards", "esrgan", "realesrgan", "swinir", "dat", "hat",
    "ldsr", "scunet", "bsrgan", "codeformer", "gfpgan", "controlnet", "hypernetworks", "vae-approx", "blip",
    "deepbooru",
    "torch_deepdanbooru", "karlo", "adetailer", "clip", "clip_vision", "upscale_models",
  ]

  private static let depthLimit = 6
  private static let entryLimit = 20_000

  /// For each folder that is searched, the models in it. Subfolders are searched in the folders of models, but not in the
  /// recipe's own folder.
  func listing() -> [[String]] {
    folders.enumerated().map { index, folder in
      var models: [String] = []
      var budget = Self.entryLimit
      Self.list(
        folder, depth: index == 0 ? 1 : Self.depthLimit, without: Self.otherFolders, budget: &budget, into: &models)
      return models
    }
  }

  /// The files of models of every kind, and the diffusers model folders, in a folder and its subfolders; absolute paths.
  public static func everyModel(below folder: String) -> [String] {
    var models: [String] = []
    var budget = entryLimit
    list(folder, depth: depthLimit, without: [], budget: &budget, into: &models)
    return models
  }

  private static func list(
    _ folder: String, depth: Int, without others: Set<String>, budget: inout Int, into models: inout [String]
  ) {
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    var folders: [String] = []
    for name in names where !name.hasPrefix(".") {
      budget -= 1
      guard budget > 0 else { return }
      let path = absolute(folder + "/" + name)
      if isFile(path) {
        if isCheckpoint(name) { models.append(path) }
      } else if FileManager.default.fileExists(atPath: path + "/model_index.json") {
        models.append(path)
      } else if !others.contains(name.lowercased()) {
        folders.append(path)
      }
    }
    guard depth > 1 else { return }
    for path in folders { list(path, depth: depth - 1, without: others, budget: &budget, into: &models) }
  }
}

/// The webui's title of a model, `name [hash]`, or a name alone.
struct ModelTitle: Hashable {
  /// The name, with `/` between folders.
  var name: String
  /// The hash in lower case; nil if there is none.
  var hash: String?

  init(_ text: String) {
    var text = text[...]
    if text.hasSuffix("]"), let start = text.lastIndex(of: "[") {
      let inside = String(text[text.index(after: start)...].dropLast())
      if Self.isHash(inside) {
        hash = inside.lowercased()
        text = text[..<start]
        while text.last == " " { text.removeLast() }
      }
    }
    let parts = text.split { $0 == "/" || $0 == "\\" }
    // A whole Windows path starts with a drive or a server, which have no meaning here.
    let isWhole =
      text.contains("\\") && (text.hasPrefix("\\") || text.dropFirst().first == ":" && text.first?.isLetter == true)
    name = isWhole ? parts.last.map(String.init) ?? "" : parts.joined(separator: "/")
  }

  /// Whether a text is a hash as the webui shows it, or a whole SHA-256.
  static func isHash(_ text: String) -> Bool {
    [8, 10, 12, 64].contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || UInt8(ascii: "a")...UInt8(ascii: "f") ~= byte | 0x20
      }
  }
}
