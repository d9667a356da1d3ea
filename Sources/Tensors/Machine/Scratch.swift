import Synchronization

/// Memory for parts of an operation that run at the same time: one piece for each thread. A part that ends passes its piece to
/// the next part, so that the memory stays in the caches.
final class Scratch: Sendable {
  private let bytesEach: Int
  private nonisolated(unsafe) let buffer: Buffer
  private let free: Mutex<[Int]>

  init(bytesEach: Int, _ machine: Machine) {
    // Whole pages, so that no two threads write to the same cache line.
    self.bytesEach = (bytesEach + 4095) / 4096 * 4096
    buffer = machine.workspace.buffer(bytes: self.bytesEach * machine.pool.threadCount)
    free = Mutex(Array(0..<machine.pool.threadCount))
  }

  /// Calls `body` with a piece that no other part uses until `body` returns. It still has the content of its last use.
  func withPiece(_ body: (UnsafeMutableRawPointer) -> Void) {
    let index = free.withLock { $0.removeLast() }
    body(buffer.raw + index * bytesEach)
    free.withLock { $0.append(index) }
  }
}
