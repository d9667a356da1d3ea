/// An object that is computed from tensors, and computed again when adapters change them.
///
/// It is Sendable because the store is. Only the thread that uses the readers may call `WeightStore.setPatches`.
public protocol PatchedReader: AnyObject, Sendable {
  /// Reads the tensors again with the current changes.
  func reload() throws
}

/// The patches of a network's tensors, and the readers that depend on the tensors.
struct PatchBook {
  struct Reader {
    weak var reader: (any PatchedReader)?
    var names: [String]
  }

  var patches: [String: WeightPatch] = [:]
  var readers: [Reader] = []
}

extension WeightStore {
  /// The adapters' changes of the tensor called `name` in code; nil if there are none.
  func patch(of name: String) -> WeightPatch? { patches.withLock { $0.patches[name] } }

  func register(_ reader: any PatchedReader, for names: [String]) {
    patches.withLock { book in
      // Some layers are read one after the other and released; without this, the list would fill with readers that no longer
      // exist.
      if book.readers.count >= 1024, book.readers.count.nonzeroBitCount == 1 {
        book.readers.removeAll { $0.reader == nil }
      }
      book.readers.append(PatchBook.Reader(reader: reader, names: names))
    }
  }

  /// Replaces all patches, and reloads every layer whose tensors change.
  ///
  /// Layers are computed from the file's numbers and the new patches, never from earlier results. So removing a patch gives the
  /// same bits as if it had never been there.
  ///
  /// - Parameter patches: The patches by names in code.
  /// - Returns: The number of layers that were reloaded.
  /// - Throws: `WeightError`. Some layers then have the new patches and some the old ones, so the network must not be used.
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
