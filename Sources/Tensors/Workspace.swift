import Glibc

/// Memory for activations, kept and handed out again, so that after the first step of a size nothing is allocated.
///
/// Belongs to the one thread that runs the model.
public final class Workspace {
  private var free: [Int: [UnsafeMutableRawPointer]] = [:]
  /// How often memory was asked of the system.
  public private(set) var allocations = 0

  /// An empty workspace.
  public init() {}

  deinit { trim() }

  /// Gives memory that nobody uses back to the system.
  public func trim() {
    for pointer in free.values.joined() { Glibc.free(pointer) }
    free = [:]
  }

  /// Whether the system would give so many bytes; asked before the work, for in the midst of it there is no way back.
  public func hasRoom(for bytes: Int) -> Bool {
    guard let start = mmap(nil, max(bytes, 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      start != MAP_FAILED
    else { return false }
    munmap(start, max(bytes, 1))
    return true
  }

  /// Memory for so many bytes with any content, aligned to 64 bytes; it comes back when the buffer is dropped.
  func buffer(bytes: Int) -> Buffer {
    let size = Self.sizeClass(max(bytes, 1))
    // A free piece that is a little too large beats a new one: an image and the same image with a border share memory.
    let fitting = free.lazy.filter { $0.key >= size && $0.key <= size + size / 4 && !$0.value.isEmpty }.map(\.key).min()
    if let fitting, let pointer = free[fitting]?.popLast() { return Buffer(pointer, size: fitting, owner: self) }
    allocations += 1
    return Buffer(Self.allocate(size), size: size, owner: self)
  }

  fileprivate func takeBack(_ pointer: UnsafeMutableRawPointer, size: Int) {
    free[size, default: []].append(pointer)
  }

  /// Sizes are rounded up by at most an eighth, so that nearly equal requests share memory.
  private static func sizeClass(_ bytes: Int) -> Int {
    let step = max(1 << (Int.bitWidth - 1 - bytes.leadingZeroBitCount - 3), 4096)
    return (bytes + step - 1) / step * step
  }

  /// Large pieces are asked for in pages of 2 MiB: a hundredth of the page faults, and fewer misses when weights stream by.
  static func allocate(_ bytes: Int) -> UnsafeMutableRawPointer {
    let isLarge = bytes >= 2 * hugePage
    var pointer: UnsafeMutableRawPointer?
    let status = posix_memalign(&pointer, isLarge ? hugePage : 64, bytes)
    guard status == 0, let pointer else { preconditionFailure("out of memory: \(bytes) bytes were refused") }
    // A system without such pages says no, and small ones do as well.
    if isLarge { madvise(pointer, bytes, MADV_HUGEPAGE) }
    return pointer
  }

  private static let hugePage = 2 << 20
}

/// A piece of a workspace, returned to it when the last user drops it.
final class Buffer {
  let raw: UnsafeMutableRawPointer
  private let size: Int
  private let owner: Workspace

  fileprivate init(_ raw: UnsafeMutableRawPointer, size: Int, owner: Workspace) {
    self.raw = raw
    self.size = size
    self.owner = owner
  }

  deinit { owner.takeBack(raw, size: size) }
}
