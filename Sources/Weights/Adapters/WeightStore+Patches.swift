/// Something that was made of tensors, and is made again when adapters change what these are.
///
/// Sendable, for the store is; whoever calls `WeightStore.setPatches` is the one that uses the readers.
public protocol PatchedReader: AnyObject, Sendable {
  /// Reads the tensors again, as they are now.
  func reload() throws
}

/// The patches of a network's tensors, and what has to be read again when they change.
struct PatchBook {
  struct Reader {
    weak var reader: (any PatchedReader)?
    var names: [String]
  }

  var patches: [String: WeightPatch] = [:]
  var readers: [Reader] = []
}

extension WeightStore {
  /// What adapters make of the tensor called `name` in code; nothing where it is the file's.
  func patch(of name: String) -> WeightPatch? { patches.withLock { $0.patches[name] } }

  func register(_ reader: any PatchedReader, for names: [String]) {
    patches.withLock { $0.readers.append(PatchBook.Reader(reader: reader, names: names)) }
  }

  /// Puts other patches in the place of all that there are, and has every layer read again whose tensors they change.
  ///
  /// What is read is the file's own numbers and the patches' changes, never what earlier patches left: taking a patch away
  /// gives the same bits as never having had it.
  ///
  /// - Parameter patches: By code's names.
  /// - Returns: How many layers were read again.
  /// - Throws: `WeightError`; some layers then have the new patches and some the old ones, and nothing must be made of
  ///   them.
  @discardableResult
  public func setPatches(_ patches: [String: WeightPatch]) throws -> Int {
    let stale: [any PatchedReader] = self.patches.withLock { book in
      let names = Set(patches.keys).union(book.patches.keys).filter { name in
        guard let new = patches[name], let old = book.patches[name] else { return true }
        return !new.isSame(as: old)
      }
      book.patches = patches
      book.readers.removeAll { $0.reader == nil }
      return book.readers.filter { $0.names.contains(where: names.contains) }.compactMap(\.reader)
    }
    for reader in stale { try reader.reload() }
    return stale.count
  }
}
