import Glibc
import Synchronization

/// Copies of packed networks in a folder, named by what they were packed from and for. The next start maps such a copy instead
/// of packing the network again; the bits are the same.
///
/// Several processes may share the folder. A failure to write a copy is not an error.
public final class PackedCopies: Sendable {
  private let folder: String
  private let limit: Int
  private let networks = Mutex<[String: PackedNetwork]>([:])
  private let writing = Mutex<[pthread_t]>([])
  /// The networks that are being written now, so that they are not written twice.
  private let pending = Mutex<Set<String>>([])
  private let background = Atomic<Bool>(true)

  /// Creates the copies in a folder.
  ///
  /// - Parameters:
  ///   - folder: The folder; it is created with the first copy.
  ///   - limit: The limit for all copies together, in bytes.
  public init(folder: String, limit: Int) {
    self.folder = folder
    self.limit = limit
  }

  /// The matrices of a network.
  ///
  /// - Parameter key: What the matrices are packed from and for, in letters, digits and hyphens; it is also the name of the
  ///   file.
  /// - Returns: The same object until it is written.
  public func network(_ key: String) -> PackedNetwork {
    networks.withLock { networks in
      if let present = networks[key] { return present }
      let network = PackedNetwork(
        key, PackedFile(path: path(key), key: key), isPending: pending.withLock { $0.contains(key) })
      networks[key] = network
      return network
    }
  }

  /// Writes the networks that have matrices without a copy, and forgets all networks. Matrices stay in memory until their copy
  /// is written.
  public func save() {
    let all = networks.withLock { networks in
      defer { networks = [:] }
      return Array(networks.values)
    }
    let fresh = all.filter { $0.isFresh }
    guard !fresh.isEmpty else { return }
    pending.withLock { $0.formUnion(fresh.map(\.key)) }
    guard background.load(ordering: .relaxed) else { return fresh.forEach(write) }
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(PackedWriting { [self] in fresh.forEach(write) })
    if pthread_create(&thread, nil, packedWriterMain, argument.toOpaque()) != 0 {
      argument.release()
    } else {
      writing.withLock { $0.append(thread) }
    }
  }

  /// Whether a separate thread writes the copies; the default is true. Until a copy is written, its network stays in memory.
  public var writesInBackground: Bool {
    get { background.load(ordering: .relaxed) }
    set { background.store(newValue, ordering: .relaxed) }
  }

  /// Waits until all copies are written.
  public func wait() {
    let threads = writing.withLock { threads in
      defer { threads = [] }
      return threads
    }
    for thread in threads { pthread_join(thread, nil) }
  }

  private func path(_ key: String) -> String { "\(folder)/\(key).packed" }

  private func write(_ network: PackedNetwork) {
    defer { pending.withLock { _ = $0.remove(network.key) } }
    network.withParts { parts in
      let size = PackedFile.size(of: parts)
      guard size <= limit, makeFolder(), makeRoom(for: size), hasDisk(for: size) else { return }
      _ = PackedFile.write(path(network.key), key: network.key, parts)
    }
  }

  private func makeFolder() -> Bool {
    var path = ""
    for part in folder.split(separator: "/") {
      path += "/\(part)"
      if mkdir(path, 0o700) != 0, errno != EEXIST { return false }
    }
    return true
  }

  /// Whether the disk has enough room: copies must not fill it.
  private func hasDisk(for bytes: Int) -> Bool {
    var status = statvfs()
    guard statvfs(folder, &status) == 0 else { return false }
    return Int(status.f_bavail) * Int(status.f_frsize) >= bytes + (2 << 30)
  }

  /// Makes room by removing what interrupted writers left, and the copies that were not used for the longest time.
  private func makeRoom(for bytes: Int) -> Bool {
    guard let stream = opendir(folder) else { return false }
    defer { closedir(stream) }
    var found: [(path: String, size: Int, seconds: Int)] = []
    let now = time(nil)
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      let path = "\(folder)/\(name)"
      var status = stat()
      guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
      if name.hasSuffix(".new"), status.st_mtim.tv_sec < now - 3600 {
        unlink(path)
      } else if name.hasSuffix(".packed") || name.hasSuffix(".new") {
        found.append((path, Int(status.st_size), status.st_mtim.tv_sec))
      }
    }
    var total = found.reduce(0) { $0 + $1.size }
    for file in found.sorted(by: { $0.seconds < $1.seconds })
    where total + bytes > limit && file.path.hasSuffix(".packed") {
      unlink(file.path)
      total -= file.size
    }
    return total + bytes <= limit
  }
}

// Sendable, because `fresh` is only used under the lock, and a packed matrix never changes.
/// The packed matrices of one network: those in its copy, and those that were packed because it has no copy of them.
public final class PackedNetwork: @unchecked Sendable {
  let key: String
  let file: PackedFile?
  private let lock = Mutex<Void>(())
  private let isPending: Bool
  private var fresh: [String: PanelMatrix] = [:]

  init(_ key: String, _ file: PackedFile?, isPending: Bool) {
    self.key = key
    self.file = file
    self.isPending = isPending
  }

  /// Stores a matrix for the copy.
  public func keep(_ matrix: PanelMatrix, as name: String) {
    if !isPending { lock.withLock { _ in fresh[name] = matrix } }
  }

  var isFresh: Bool { lock.withLock { _ in !fresh.isEmpty } }

  /// Calls `body` with all matrices.
  func withParts(_ body: ([PackedFile.Part]) -> Void) {
    var matrices: [String: PanelMatrix] = [:]
    lock.withLock { _ in swap(&matrices, &fresh) }
    var parts = matrices.compactMap { $1.part($0) }
    if let file {
      parts += file.entries.values.filter { matrices[$0.name] == nil }.map { entry in
        let columns = file.columns(entry)
        return PackedFile.Part(
          name: entry.name, panels: UnsafeRawBufferPointer(start: file.panels(entry), count: entry.bytes),
          scales: UnsafeRawBufferPointer(start: columns, count: entry.columnCount * 4),
          sums: UnsafeRawBufferPointer(start: columns.map { $0 + entry.columnCount * 4 }, count: entry.columnCount * 4))
      }
    }
    parts.sort { $0.name < $1.name }
    withExtendedLifetime((matrices, file)) { body(parts) }
  }
}

/// The work of a thread that writes copies.
private final class PackedWriting {
  let run: () -> Void

  init(_ run: @escaping () -> Void) { self.run = run }
}

private func packedWriterMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let argument else { return nil }
  Unmanaged<PackedWriting>.fromOpaque(argument).takeRetainedValue().run()
  return nil
}
