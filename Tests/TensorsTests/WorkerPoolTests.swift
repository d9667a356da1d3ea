import Glibc
import Synchronization
import Testing

@testable import Tensors

@Suite struct WorkerPoolTests {
  @Test(arguments: [1, 2, 3, 7])
  func `every part is computed once, whatever the count`(threads: Int) {
    let pool = WorkerPool(threadCount: threads)
    #expect(pool.threadCount == threads)
    // Many small operations in a row, so that threads are late for one and find the next.
    for count in Array(0...40) + Array(repeating: 5, count: 2000) + [1000, 100_000] {
      let calls = UnsafeMutablePointer<Int32>.allocate(capacity: count + 1)
      calls.initialize(repeating: 0, count: count + 1)
      defer { calls.deallocate() }
      nonisolated(unsafe) let shared = calls
      pool.run(count) { shared[$0] += 1 }
      #expect((0..<count).allSatisfy { calls[$0] == 1 } && calls[count] == 0, "\(count) parts")
    }
  }

  @Test func `a thread that is done steals parts from the others`() {
    let pool = WorkerPool(threadCount: 2)
    let others = Atomic<Int>(0)
    // Part 0 waits for all others, including its neighbours in the same share, which only another thread can compute.
    pool.run(64) { part in
      if part == 0 {
        while others.load(ordering: .acquiring) < 63 {}
      } else {
        others.wrappingAdd(1, ordering: .releasing)
      }
    }
    #expect(others.load(ordering: .relaxed) == 63)
  }

  @Test func `threads that sleep wake up for the next operation`() {
    let pool = WorkerPool(threadCount: 3)
    for _ in 0..<3 {
      let both = Atomic<Int>(0)
      // Neither part ends before the other begins.
      pool.run(2) { _ in
        both.wrappingAdd(1, ordering: .sequentiallyConsistent)
        while both.load(ordering: .sequentiallyConsistent) < 2 {}
      }
      #expect(both.load(ordering: .relaxed) == 2)
      // Much longer than a thread spins before it sleeps.
      usleep(20_000)
    }
  }
}
