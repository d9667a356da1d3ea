import Foundation

/// One file of named tensors in any container: safetensors, `torch.save` or GGUF.
///
/// The content decides which container it is, and the file's name only if the content is ambiguous. Opening reads the list of
/// tensors, but not their numbers. Nothing in a file is ever run.
public struct TensorFile: Sendable {
  /// The format of the file.
  public enum Container: String, Sendable, CaseIterable {
    /// The safetensors format.
    case safetensors = "safetensors"
    /// A zip archive of PyTorch 1.6 and later (`.ckpt`, `.pt`, `.pth`, `.bin`).
    case torchArchive = "PyTorch archive"
    /// A sequence of pickles, as PyTorch wrote before 1.6.
    case torchLegacy = "PyTorch pickle"
    /// GGUF, as stable-diffusion.cpp writes it.
    case gguf = "GGUF"
  }

  /// The path with which the file was opened, for messages.
  public let path: String
  /// The format of the file.
  public let container: Container
  /// The tensors by name; in a pickle, names of nested dictionaries are joined by dots.
  public let tensors: [String: StoredTensor]
  /// The texts and numbers in the file besides its tensors.
  public let metadata: [String: String]
  /// The offset of the tensors' bytes in a safetensors file; nil for other formats.
  public let dataOffset: Int?

  /// Opens the file at `path`.
  ///
  /// Throws `TensorFileError.unreadable`, `.damaged`, `.refused` for a pickle that needs more than tensors, or
  /// `.unsupported` for a file of another format.
  public init(path: String) throws(TensorFileError) {
    self.path = path
    let file = try ByteFile(path: path)
    let head = try file.prefix(ForeignFormat.headCount)
    if GGUFFile.isLikely(head) {
      let gguf = try GGUFFile(file)
      (container, tensors, metadata, dataOffset) = (.gguf, gguf.tensors, gguf.metadata, nil)
    } else if !SafetensorsFile.isLikely(head), TorchFile.isLikely(head) || Self.isNamedLikePickle(path) {
      // A failed download must not look like an attack.
      if let format = ForeignFormat(head, fileCount: file.count), !format.mayBePickle { throw format.error(path) }
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

  /// Whether the file at `path` starts like a file of one of the formats. Also true for another program's model and for an
  /// archive, because opening them gives an error that names the format.
  public static func isLikely(path: String) -> Bool {
    guard let file = try? ByteFile(path: path), let head = try? file.prefix(ForeignFormat.headCount) else {
      return false
    }
    return GGUFFile.isLikely(head) || SafetensorsFile.isLikely(head) || TorchFile.isLikely(head)
      || ForeignFormat(head, fileCount: file.count)?.isModel == true
  }

  private static func isNamedLikePickle(_ path: String) -> Bool {
    ["ckpt", "pt", "pth", "bin", "pkl", "pickle"].contains(URL(fileURLWithPath: path).pathExtension.lowercased())
  }
}
