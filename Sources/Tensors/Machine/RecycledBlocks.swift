import Synchronization

/// Large blocks of memory that were released and will soon be wanted again.
///
/// The system clears memory before it hands it out, which takes longer than reading weights into it. A loop that holds one layer
/// at a time avoids that by using the memory of one layer for the next.
enum RecycledBlocks {
  private struct State {
    /// How many loops run.
    var loops = 0
    var blocks: [Int: [UInt]] = [:]
  }

  private static let state = Mutex(State())

  /// Keeps the blocks that are released while `body` runs, and releases them to the system at the end.
  static func kept<Result>(during body: () throws -> Result) rethrows -> Result {
    state.withLock { $0.loops += 1 }
    defer {
      let left = state.withLock { state in
        state.loops -= 1
        guard state.loops == 0 else { return [:] as [Int: [UInt]] }
        defer { state.blocks = [:] }
        return state.blocks
      }
      for (bytes, starts) in left {
        for start in starts.compactMap(UnsafeMutableRawPointer.init(bitPattern:)) { Workspace.unmap(start, bytes) }
      }
    }
    return try body()
  }

  /// A kept block of exactly this size, with any content; nil if there is none.
  static func take(_ bytes: Int) -> UnsafeMutableRawPointer? {
    state.withLock { $0.blocks[bytes]?.popLast() }.flatMap(UnsafeMutableRawPointer.init(bitPattern:))
  }

  /// Keeps a block; false if nothing will want it.
  static func keep(_ start: UnsafeMutableRawPointer, _ bytes: Int) -> Bool {
    state.withLock { state in
      guard state.loops > 0 else { return false }
      state.blocks[bytes, default: []].append(UInt(bitPattern: start))
      return true
    }
  }
}

extension Compute {
  /// Runs a loop that packs the weights of one layer at a time, and uses the memory of each again for the next.
  public func recyclingMemory<Result>(_ body: () throws -> Result) rethrows -> Result {
    try RecycledBlocks.kept(during: body)
  }
}
