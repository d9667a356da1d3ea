import Glibc

/// Memory for activations. Buffers are kept and reused, so no memory is allocated after the first step at an image size.
///
/// Only the thread that runs the model may use it.
public final class Workspace {
  private var free: [Int: [UnsafeMutableRawPointer]] = [:]
  /// Bytes that are in use or kept for reuse.
  public private(set) var heldBytes = 0
  /// The most bytes held so far.
  public private(set) var peakBytes = 0
  /// The number of allocations from the system.
  public private(set) var allocations = 0

  /// Creates an empty workspace.
  public init() {}

  deinit { trim() }

  /// Returns unused memory to the system.
  public func trim() {
    for (size, pointers) in free {
      for pointer in pointers { Self.deallocate(pointer, size) }
      heldBytes -= size * pointers.count
    }
    free = [:]
  }

  /// Resets the peak to the bytes that are held now.
  public func forgetPeak() { peakBytes = heldBytes }

  /// Whether the system would grant this many bytes. Ask before starting the work: a failed allocation later ends the process.
  public func hasRoom(for bytes: Int) -> Bool {
    guard let start = mmap(nil, max(bytes, 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      start != MAP_FAILED
    else { return false }
    munmap(start, max(bytes, 1))
    return true
  }

  /// Memory of this size with arbitrary content, aligned to 64 bytes. It returns to the workspace when the buffer is released.
  func buffer(bytes: Int) -> Buffer {
    let size = Self.sizeClass(max(bytes, 1))
    // A free buffer that is slightly too large is better than a new one: an image can reuse the memory of the same image with a
    // border.
    let fitting = free.lazy.filter { $0.key >= size && $0.key <= size + size / 4 && !$0.value.isEmpty }.map(\.key).min()
    if let fitting, let pointer = free[fitting]?.popLast() { return Buffer(pointer, size: fitting, owner: self) }
    allocations += 1
    heldBytes += size
    peakBytes = max(peakBytes, heldBytes)
    return Buffer(Self.allocate(size), size: size, owner: self)
  }

  fileprivate func takeBack(_ pointer: UnsafeMutableRawPointer, size: Int) {
    free[size, default: []].append(pointer)
  }

  /// Rounds a size up by at most an eighth, so that requests of similar size can reuse memory.
  private static func sizeClass(_ bytes: Int) -> Int {
    let step = max(1 << (Int.bitWidth - 1 - bytes.leadingZeroBitCount - 3), 4096)
    return (bytes + step - 1) / step * step
  }

  /// Allocates memory with arbitrary content, aligned to 64 bytes.
  ///
  /// Large blocks use pages of 2 MiB: this saves 99 % of the page faults, and TLB misses while weights are read. They bypass
  /// the heap, which would keep their memory after a network is released.
  static func allocate(_ bytes: Int) -> UnsafeMutableRawPointer {
    guard bytes >= largeBytes else {
      var pointer: UnsafeMutableRawPointer?
      let status = posix_memalign(&pointer, 64, bytes)
      guard status == 0, let pointer else { preconditionFailure("out of memory: \(bytes) bytes were refused") }
      return pointer
    }
    let size = (bytes + page - 1) / page * page
    if let kept = RecycledBlocks.take(size) { return kept }
    let alignment = bytes >= 2 * hugePage ? hugePage : page
    guard
      let start = mmap(
        nil, size + alignment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), start != MAP_FAILED
    else { preconditionFailure("out of memory: \(bytes) bytes were refused") }
    // Return the memory before the first whole page and after the last one.
    let before = (alignment - Int(bitPattern: start) % alignment) % alignment
    if before > 0 { munmap(start, before) }
    let pointer = start + before
    if alignment > before { munmap(pointer + size, alignment - before) }
    // A system without large pages ignores this and uses small ones.
    if alignment == hugePage { madvise(pointer, size, MADV_HUGEPAGE) }
    return pointer
  }

  /// Releases memory from `allocate`.
  static func deallocate(_ pointer: UnsafeMutableRawPointer, _ bytes: Int) {
    guard bytes >= largeBytes else { return Glibc.free(pointer) }
    let size = (bytes + page - 1) / page * page
    if !RecycledBlocks.keep(pointer, size) { unmap(pointer, size) }
  }

  /// Returns a large block to the system.
  static func unmap(_ pointer: UnsafeMutableRawPointer, _ size: Int) { munmap(pointer, size) }

  private static let largeBytes = 1 << 20
  private static let page = 4096

  private static let hugePage = 2 << 20
}

/// Memory of a workspace, which gets it back when the last reference is released.
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
