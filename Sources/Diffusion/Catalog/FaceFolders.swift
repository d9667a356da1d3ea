import Foundation
import Networks
import Settings
import Weights

/// Finds the files of the networks that restore faces.
///
/// It searches `Codeformer/`, `GFPGAN/` and `face/` in each folder of models, as in the webui's `models/`, and the folder
/// itself for files with the usual names. Their tensors decide what the files are.
public struct FaceFolders {
  private let roots: [String]

  /// Creates a search of these folders of models, best first.
  public init(roots: [String]) { self.roots = roots }

  private static let subfolders = ["Codeformer", "codeformer", "CodeFormer", "GFPGAN", "gfpgan", "face"]
  private static let extensions: Set<String> = ["pth", "pt", "ckpt", "bin", "safetensors"]

  /// The files that a model needs.
  ///
  /// - Parameter model: CodeFormer or GFPGAN.
  /// - Returns: All three files, opened.
  /// - Throws: `FaceFilesMissing`, which names all missing files; `WeightError` for a file that cannot be used.
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
  /// A file with the network's usual name that cannot be used is an error, unless there is another file.
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

  /// Files that may contain a network, those with its usual name first.
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

/// Files that are needed to restore faces, and that are in no folder.
public struct FaceFilesMissing: Error, CustomStringConvertible {
  /// The networks in the missing files.
  public let kinds: [FaceNetworkKind]
  /// The folders that were searched.
  public let folders: [String]

  /// One sentence for the user.
  public var description: String {
    "restore_faces: found no file with "
      + kinds.map { "\($0.title) (usually \($0.usualFile))" }.joined(separator: ", or with ")
      + ", expected in \(folders.joined(separator: ", ")); put the files there, or make images without restoring faces"
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
  /// The usual path of the file in the webui.
  public var usualFile: String {
    switch self {
    case .detector: "GFPGAN/detection_Resnet50_Final.pth"
    case .parser: "GFPGAN/parsing_parsenet.pth"
    case .codeFormer: "Codeformer/codeformer-v0.1.0.pth"
    case .gfpgan: "GFPGAN/GFPGANv1.4.pth"
    }
  }

  /// Whether a file has a usual name for this network.
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
