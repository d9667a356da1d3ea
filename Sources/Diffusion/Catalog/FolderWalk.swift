import Foundation

/// The files of a folder and its subfolders. Links are followed, as in the webui: people keep one folder of models for several
/// programs.
enum FolderWalk {
  /// Folders within each other; deeper ones are left out.
  private static let depthLimit = 16
  private static let entryLimit = 100_000

  /// The paths of the files, from the folder.
  ///
  /// - Parameter folder: The folder, or a link to it. If it is missing, it has no files.
  /// - Returns: Names of folders and files in order, folder by folder.
  static func files(below folder: String) -> [String] {
    var files: [String] = []
    var entered: Set<String> = []
    var entriesLeft = entryLimit
    func walk(_ path: String, _ prefix: String, _ depth: Int) {
      // Links may lead in a circle.
      let real = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
      guard depth < depthLimit, entered.insert(real).inserted,
        let names = try? FileManager.default.contentsOfDirectory(atPath: path)
      else { return }
      for name in names.sorted() {
        entriesLeft -= 1
        guard entriesLeft >= 0 else { return }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: "\(path)/\(name)", isDirectory: &isFolder) else { continue }
        if isFolder.boolValue {
          walk("\(path)/\(name)", "\(prefix)\(name)/", depth + 1)
        } else {
          files.append(prefix + name)
        }
      }
    }
    walk(folder, "", 0)
    return files
  }
}
