import TensorFiles
import Text

/// The tensor names in files of one upscaler architecture: how it is recognised, and where each weight is.
package protocol UpscalerNames: Sendable {
  /// The name of the architecture for messages.
  static var title: String { get }
  /// The names of the first layer's weight, one for every naming of the architecture. What comes before it is the file's
  /// prefix.
  static var firstWeights: [String] { get }

  /// Whether a file probably contains this architecture.
  ///
  /// - Parameter hasTensor: Whether there is a tensor with this name, after any prefix.
  /// - Returns: A guess.
  static func isLikely(_ hasTensor: (String) -> Bool) -> Bool

  /// Recognises the architecture by the names of the tensors, without the file's prefix; nil if it is another one.
  init?(_ names: [Substring])

  /// Which program's names the tensors have, for messages.
  var layout: String { get }

  /// The names in the file.
  func keyMap(prefix: String) -> KeyMap
}

/// An opened file with an upscaling network: which architecture it is, and how its tensors are named.
package struct UpscalerFile: Sendable {
  package let path: String
  /// The names of the architecture that was recognised.
  package let names: any UpscalerNames
  package let store: WeightStore

  /// Opens a file in any container.
  ///
  /// The rest of a training state, such as an optimiser, is ignored.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - architectures: The supported architectures; the first that recognises the file is used.
  /// - Throws: `WeightError`; `unsupported` for a file that is none of them.
  package init(path: String, architectures: [any UpscalerNames.Type]) throws(WeightError) {
    let file = try WeightError.wrapping(try TensorFile(path: path))
    let names = file.tensors.keys
    let titles = architectures.map { $0.title }.joined(separator: " or ")
    let advice = "use a model of the architecture \(titles)"
    if let kind = UpscalerKind.unsupported(names) {
      throw .unsupported(path: path, found: kind.description, advice: advice)
    }
    let wrapping = UpscalerWrapping(firstWeights: architectures.flatMap { $0.firstWeights })
    guard let prefix = wrapping.prefix(of: Array(names)),
      let found = architectures.lazy.compactMap({ $0.init(Self.names(names, after: prefix)) }).first
    else {
      let example = names.min().map { ", such as \($0.abridged)" } ?? ""
      throw .unsupported(
        path: path, found: "a file with \(names.count) tensors\(example), and not an upscaler of the ESRGAN family",
        advice: advice)
    }
    if let first = found.firstWeight(file.tensors, prefix: prefix), first.shape.suffix(2) == [2, 2] {
      throw .unsupported(
        path: path, found: "an upscaler of the kind ESRGAN-2c2 (two convolutions of 2x2 for each of 3x3)",
        advice: advice)
    }
    self.path = path
    self.names = found
    store = WeightStore(path: path, tensors: file.tensors, keyMap: found.keyMap(prefix: prefix))
  }

  private static func names(_ names: some Collection<String>, after prefix: String) -> [Substring] {
    names.filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count) }
  }

  /// Whether tensors with these names are probably those of an upscaler, supported or not.
  package static func isLikely(
    _ names: some Collection<String>, architectures: [any UpscalerNames.Type]
  ) -> Bool {
    func hasTensor(_ ending: String) -> Bool { names.contains { $0 == ending || $0.hasSuffix(".\(ending)") } }
    return UpscalerKind.unsupported(names) != nil || architectures.contains { $0.isLikely(hasTensor) }
  }
}

extension UpscalerNames {
  /// The weight of the first layer.
  fileprivate func firstWeight(_ tensors: [String: StoredTensor], prefix: String) -> StoredTensor? {
    Self.firstWeights.lazy.compactMap { tensors[prefix + $0] }.first
  }
}

extension [Substring] {
  /// One more than the largest number after `beginning` in a name; limited, because files may be hostile.
  func count(after beginning: String) -> Int {
    let limit = 1 << 16
    let numbers = compactMap { name -> Int? in
      guard name.hasPrefix(beginning) else { return nil }
      return Int(name.dropFirst(beginning.count).prefix { $0 != "." }).flatMap { $0 < 0 ? nil : Swift.min($0, limit) }
    }
    return Swift.min((numbers.max() ?? -1) + 1, limit)
  }
}
