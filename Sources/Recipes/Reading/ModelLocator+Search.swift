import Foundation

/// Finds a model by what people copy from the webui or from another machine, if no folder has the name as it is written.
extension ModelLocator {
  /// Where a name leads.
  public enum Finding: Hashable, Sendable {
    /// To this file or folder.
    case found(String)
    /// To several files, which only their folders tell apart.
    case several([String])
    /// To a file that has the name, but not the hash after it.
    case otherHash(path: String)
    /// Nowhere.
    case nothing
  }

  /// Finds a model.
  ///
  /// A name that is found in a folder as it is written always means that file. Otherwise these are tried, in this order:
  ///
  /// * the name with `/` for the backslashes of Windows, and of a whole Windows path only the file's name;
  /// * a file in a subfolder of the folders of models, by its name with or without extension and folders;
  /// * the same, ignoring letter case;
  /// * the webui's title, `name [hash]`, and a hash alone: the first 10 digits of the SHA-256, all 64, or the 8 digits of the
  ///   old hash.
  ///
  /// Of the folders, the first that has a match is taken; several matches in it are not decided, except that a folder called VAE
  /// is for VAEs.
  ///
  /// - Parameters:
  ///   - name: What the user wrote.
  ///   - isVAE: Whether a VAE is wanted.
  /// - Returns: Where the name leads.
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
      // Without a way to compute hashes, the name decides.
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

  /// The names of model files in the folders and below, to suggest instead of a missing one; of long names, also without
  /// extension, as people write them.
  func knownNames() -> [String] {
    var seen: Set<String> = []
    let names = listing().flatMap { $0 }.map { ($0 as NSString).lastPathComponent }.filter { seen.insert($0).inserted }
    // Most short names are near to any other.
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

  /// Whether a path ends with these components, the last of which may lack its extension.
  private static func has(_ path: String, _ wanted: [String]) -> Bool {
    let parts = path.split(separator: "/")
    guard parts.count >= wanted.count, let file = parts.last, let last = wanted.last else { return false }
    return zip(parts.suffix(wanted.count).dropLast(), wanted.dropLast()).allSatisfy { $0 == $1 }
      && (file == last || stem(String(file)) == last)
  }

  /// The paths without those that lead to the same file as an earlier one.
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
      // Reading 64 KiB of each is cheap.
      let old = files.filter { hashes($0)?.old == hash }
      if !old.isEmpty { return old }
    }
    let found = files.filter { hashes($0)?.sha256()?.hasPrefix(hash) == true }
    // Copies of one file are the same model.
    return hash.count >= 10 ? Array(found.prefix(1)) : found
  }

  // MARK: Folders

  /// Folders with other kinds of files, in lower case: those of the webui, and ours.
  private static let otherFolders: Set<String> = [
    "lora", "loras", "lycoris", "embeddings", "upscalers", "wildcards", "esrgan", "realesrgan", "swinir", "dat", "hat",
    "ldsr", "scunet", "bsrgan", "codeformer", "gfpgan", "controlnet", "hypernetworks", "vae-approx", "blip",
    "deepbooru",
    "torch_deepdanbooru", "karlo", "adetailer", "clip", "clip_vision", "upscale_models",
  ]

  private static let depthLimit = 6
  private static let entryLimit = 20_000

  /// For each folder that is searched, the models in it; below the folders of models, not below the recipe's own.
  func listing() -> [[String]] {
    folders.enumerated().map { index, folder in
      var models: [String] = []
      var budget = Self.entryLimit
      Self.list(
        folder, depth: index == 0 ? 1 : Self.depthLimit, without: Self.otherFolders, budget: &budget, into: &models)
      return models
    }
  }

  /// The files of models of every kind in a folder and below, and the model folders of diffusers; absolute paths.
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
  /// With `/` between folders.
  var name: String
  /// In lower case.
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
    // A whole path of Windows begins with a drive or a server, which mean nothing here.
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
