import Foundation
import Networks
import Settings
import Weights

/// Finds the files of the networks that restore faces.
///
/// They are looked for in `Codeformer/`, `GFPGAN/` and `face/` of each folder of models, as in the webui's `models/`, and by
/// their usual names in the folder itself. Their tensors decide what they are.
public struct FaceFolders {
  private let roots: [String]

  /// Folders of models, best first.
  public init(roots: [String]) { self.roots = roots }

  private static let subfolders = ["Codeformer", "codeformer", "CodeFormer", "GFPGAN", "gfpgan", "face"]
  private static let extensions: Set<String> = ["pth", "pt", "ckpt", "bin", "safetensors"]

  /// The files that a model needs.
  ///
  /// - Parameter model: CodeFormer or GFPGAN.
  /// - Returns: All three files, opened.
  /// - Throws: `FaceFilesMissing` that names all that are missing; `WeightError` for one that cannot be used.
  public func files(for model: FaceRestorationModel) throws -> FaceRestorerFiles {
    let kinds: [FaceNetworkKind] = [model.kind, .detector, .parser]
    let found = try kinds.map { try archive($0) }
    guard let restorer = found[0], let detector = found[1], let parser = found[2] else {
      throw FaceFilesMissing(
        kinds: zip(kinds, found).filter { $0.1 == nil }.map(\.0),
        folders: roots.flatMap { root in ["Codeformer", "GFPGAN", "face"].map { "\(root)/\($0)" } })
    }
    return FaceRestorerFiles(restorer: restorer, detector: detector, parser: parser)
  }

  /// The first file with a network, in natural order within a folder; nil if there is none.
  ///
  /// A file with the network's usual name that cannot be used is an error, unless there is another one.
  private func archive(_ kind: FaceNetworkKind) throws -> FaceArchive? {
    var problem: (any Error)?
    for path in candidates(kind) {
      do {
        return try FaceArchive(path: path, expecting: [kind])
      } catch {
        if problem == nil, kind.isUsualName(path) { problem = error }
      }
    }
    if let problem { throw problem }
    return nil
  }

  /// Files that may hold a network, those with its usual name first.
  private func candidates(_ kind: FaceNetworkKind) -> [String] {
    var seen: Set<String> = []
    var paths: [String] = []
    for root in roots {
      for folder in Self.subfolders {
        let names = FolderWalk.files(below: "\(root)/\(folder)").filter(Self.isModel)
        paths += Self.inNaturalOrder(names).map { "\(root)/\(folder)/\($0)" }
      }
      let own = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
      paths += Self.inNaturalOrder(own.filter { Self.isModel($0) && kind.isUsualName($0) }).map { "\(root)/\($0)" }
    }
    // A case-insensitive file system shows one folder under several names.
    let unique = paths.filter { seen.insert(URL(fileURLWithPath: $0).resolvingSymlinksInPath().path).inserted }
    return unique.filter(kind.isUsualName) + unique.filter { !kind.isUsualName($0) }
  }

  private static func isModel(_ name: String) -> Bool {
    let file = name as NSString
    return extensions.contains(file.pathExtension.lowercased()) && !file.lastPathComponent.hasPrefix(".")
  }

  private static func inNaturalOrder(_ names: [String]) -> [String] {
    names.sorted { one, other in
      let order = one.compare(other, options: [.numeric, .caseInsensitive])
      return order == .orderedSame ? one < other : order == .orderedAscending
    }
  }
}

/// Files that restoring faces needs, and that are in no folder.
public struct FaceFilesMissing: Error, CustomStringConvertible {
  /// What the missing files hold.
  public let kinds: [FaceNetworkKind]
  /// Where they were looked for.
  public let folders: [String]

  /// One sentence for the user.
  public var description: String {
    "restore_faces: found no file with "
      + kinds.map { "\($0.title) (usually \($0.usualFile))" }.joined(separator: ", or with ")
      + ", expected in \(folders.joined(separator: ", ")); put the files there, or set restore_faces: false"
  }
}

extension FaceRestorationModel {
  /// The network.
  var kind: FaceNetworkKind {
    switch self {
    case .codeFormer: .codeFormer
    case .gfpgan: .gfpgan
    }
  }
}

extension FaceNetworkKind {
  /// What the file is usually called, and where the webui has it.
  public var usualFile: String {
    switch self {
    case .detector: "GFPGAN/detection_Resnet50_Final.pth"
    case .parser: "GFPGAN/parsing_parsenet.pth"
    case .codeFormer: "Codeformer/codeformer-v0.1.0.pth"
    case .gfpgan: "GFPGAN/GFPGANv1.4.pth"
    }
  }

  /// Whether a file is called as files with this network usually are.
  func isUsualName(_ path: String) -> Bool {
    let name = (path as NSString).lastPathComponent.lowercased()
    return switch self {
    case .detector: name.contains("detection_resnet50") || name.contains("retinaface")
    case .parser: name.contains("parsenet")
    case .codeFormer: name.contains("codeformer")
    case .gfpgan: name.contains("gfpgan")
    }
  }

  /// The network's name in the manifest's list of models.
  var family: String {
    switch self {
    case .detector: "face-detector"
    case .parser: "face-parser"
    case .codeFormer: "codeformer"
    case .gfpgan: "gfpgan"
    }
  }
}
