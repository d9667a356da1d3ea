import Synchronization

/// Memory for parts of one piece of work that run at the same time: one piece of it for each thread, handed from part to
/// part, so that it stays in the caches.
final class Scratch: Sendable {
  private let bytesEach: Int
  private nonisolated(unsafe) let buffer: Buffer
  private let free: Mutex<[Int]>

  init(bytesEach: Int, _ compute: Compute) {
    // Whole pages, so that no two threads write to the same line.
    self.bytesEach = (bytesEach + 4095) / 4096 * 4096
    buffer = compute.workspace.buffer(bytes: self.bytesEach * compute.pool.threadCount)
    free = Mutex(Array(0..<compute.pool.threadCount))
  }

  /// Calls `body` with a piece that nobody else has until it returns; its content is whatever the last user left.
  func withPiece(_ body: (UnsafeMutableRawPointer) -> Void) {
    let index = free.withLock { $0.removeLast() }
    body(buffer.raw + index * bytesEach)
    free.withLock { $0.append(index) }
  }
}
