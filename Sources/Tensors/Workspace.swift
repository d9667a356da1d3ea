import Glibc

/// Memory for activations, kept and handed out again, so that after the first step of a size nothing is allocated.
///
/// Belongs to the one thread that runs the model.
public final class Workspace {
  private var free: [Int: [UnsafeMutableRawPointer]] = [:]
  /// Bytes that are in use or kept to be handed out again.
  public private(set) var heldBytes = 0
  /// The most that was held so far.
  public private(set) var peakBytes = 0
  /// How often memory was asked of the system.
  public private(set) var allocations = 0

  /// An empty workspace.
  public init() {}

  deinit { trim() }

  /// Gives memory that nobody uses back to the system.
  public func trim() {
    for (size, pointers) in free {
      for pointer in pointers { Self.deallocate(pointer, size) }
      heldBytes -= size * pointers.count
    }
    free = [:]
  }

  /// Begins to look for the most that is held anew.
  public func forgetPeak() { peakBytes = heldBytes }

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
    heldBytes += size
    peakBytes = max(peakBytes, heldBytes)
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
  ///
  /// They come from the system and go back to it at once: the heap would keep what a network leaves behind.
  static func allocate(_ bytes: Int) -> UnsafeMutableRawPointer {
    guard bytes >= largeBytes else {
      var pointer: UnsafeMutableRawPointer?
      let status = posix_memalign(&pointer, 64, bytes)
      guard status == 0, let pointer else { preconditionFailure("out of memory: \(bytes) bytes were refused") }
      return pointer
    }
    let alignment = bytes >= 2 * hugePage ? hugePage : page
    let size = (bytes + page - 1) / page * page
    guard
      let start = mmap(
        nil, size + alignment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), start != MAP_FAILED
    else { preconditionFailure("out of memory: \(bytes) bytes were refused") }
    // What lies before the first whole page of that size goes back, and what is left behind.
    let before = (alignment - Int(bitPattern: start) % alignment) % alignment
    if before > 0 { munmap(start, before) }
    let pointer = start + before
    if alignment > before { munmap(pointer + size, alignment - before) }
    // A system without such pages says no, and small ones do as well.
    if alignment == hugePage { madvise(pointer, size, MADV_HUGEPAGE) }
    return pointer
  }

  /// Gives back memory of `allocate`.
  static func deallocate(_ pointer: UnsafeMutableRawPointer, _ bytes: Int) {
    guard bytes >= largeBytes else { return Glibc.free(pointer) }
    munmap(pointer, (bytes + page - 1) / page * page)
  }

  private static let largeBytes = 1 << 20
  private static let page = 4096

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
