import Testing

@testable import Tensors

@Suite struct RecycledBlocksTests {
  // A size that no other test's layers have.
  private let bytes = 3 << 20 | 3 << 12

  @Test func `the memory of one layer serves the next layer of the same size while a loop runs`() {
    RecycledBlocks.kept {
      let first = Workspace.allocate(bytes)
      Workspace.deallocate(first, bytes)
      let other = Workspace.allocate(bytes + 4096)
      #expect(other != first)
      let second = Workspace.allocate(bytes)
      #expect(second == first)
      Workspace.deallocate(other, bytes + 4096)
      Workspace.deallocate(second, bytes)
      #expect(RecycledBlocks.take(bytes).map { Workspace.unmap($0, bytes) } != nil)
    }
    #expect(RecycledBlocks.take(bytes) == nil && RecycledBlocks.take(bytes + 4096) == nil)
  }

  @Test func `blocks that are released outside of a loop are not kept`() {
    let size = bytes + 8192
    Workspace.deallocate(Workspace.allocate(size), size)
    #expect(RecycledBlocks.take(size) == nil)
  }

  @Test func `an inner loop leaves its blocks to the outer one`() {
    let size = bytes + 12288
    RecycledBlocks.kept {
      RecycledBlocks.kept { Workspace.deallocate(Workspace.allocate(size), size) }
      let block = RecycledBlocks.take(size)
      #expect(block != nil)
      if let block { Workspace.unmap(block, size) }
    }
    #expect(RecycledBlocks.take(size) == nil)
  }
}
