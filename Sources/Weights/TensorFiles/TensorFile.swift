import Foundation
import JSON

/// One file of named tensors, in whichever container: safetensors, `torch.save` or GGUF.
///
/// The content tells the container; the file's name matters only where the content does not. Opening maps the file and
/// reads what lists the tensors; their numbers stay where they are. Nothing in a file is ever run.
public struct TensorFile: Sendable {
  /// What kind of file it is.
  public enum Container: String, Sendable, CaseIterable {
    /// The safetensors format.
    case safetensors = "safetensors"
    /// A zip archive of PyTorch 1.6 and later (`.ckpt`, `.pt`, `.pth`, `.bin`).
    case torchArchive = "PyTorch archive"
    /// A row of pickles of PyTorch before 1.6.
    case torchLegacy = "PyTorch pickle"
    /// GGUF, as stable-diffusion.cpp writes it.
    case gguf = "GGUF"
  }

  /// The path that the file was opened by, for messages.
  public let path: String
  /// What kind of file it is.
  public let container: Container
  /// The tensors by name; in a pickle, names of nested dictionaries are joined by dots.
  public let tensors: [String: WeightTensor]
  /// What the file says beside its tensors.
  public let metadata: [String: String]
  /// Where the tensors' bytes begin in a safetensors file; nothing for others.
  public let dataOffset: Int?

  /// Opens the file at `path`.
  ///
  /// Throws `WeightError.unreadable`, `.damaged`, `.refused` for a pickle that wants more than tensors, or `.unsupported` for
  /// a file of another format.
  public init(path: String) throws(WeightError) {
    self.path = path
    let file = try MappedFile(path: path)
    if GGUFFile.isLikely(file.bytes) {
      let gguf = try GGUFFile(file)
      (container, tensors, metadata, dataOffset) = (.gguf, gguf.tensors, gguf.metadata, nil)
    } else if !SafetensorsFile.isLikely(file.bytes), TorchFile.isLikely(file.bytes) || Self.isNamedLikePickle(path) {
      let torch = try TorchFile(file)
      container = torch.isArchive ? .torchArchive : .torchLegacy
      (tensors, metadata, dataOffset) = (ScaledFP8.applied(to: torch.tensors), torch.metadata, nil)
    } else {
      let safetensors = try SafetensorsFile(file)
      (container, tensors, metadata, dataOffset) = (
        .safetensors, ScaledFP8.applied(to: safetensors.tensors), safetensors.metadata, safetensors.dataOffset
      )
    }
  }

  /// Whether the file at `path` begins like one of the formats.
  public static func isLikely(path: String) -> Bool {
    guard let file = try? MappedFile(path: path) else { return false }
    return GGUFFile.isLikely(file.bytes) || SafetensorsFile.isLikely(file.bytes) || TorchFile.isLikely(file.bytes)
  }

  private static func isNamedLikePickle(_ path: String) -> Bool {
    ["ckpt", "pt", "pth", "bin"].contains(URL(fileURLWithPath: path).pathExtension.lowercased())
  }
}
