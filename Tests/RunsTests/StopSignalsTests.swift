import Foundation
import Runs
import Testing

@Suite struct StopSignalsTests {
  @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGUSR1])
  func `a signal stops the run within a step, with everything in order`(number: Int32) async throws {
    let space = try Workspace()
    await #expect(processExitsWith: .exitCode(75)) { [path = space.path as String, number = number as Int32] in
      StopSignals.install()
      #expect(StopSignals.request == nil)
      var generator = FakeGenerator(log: path + "/calls")
      generator.onProgress = { [generator] progress in
        if progress == .sampling(step: 1, of: 3), generator.calls.count == 2 { raise(number) }
      }
      let outcome = try runFake(
        fakeJobs([1, 2, 3]), generator, in: RunFolder(path + "/run"), stopRequest: { StopSignals.request })
      if outcome.stop == .signal(number) { exit(75) }
    }
    #expect(space.generator.calls == [1, 2])
    #expect(try space.manifestJobs().map { $0["status"] as? String } == ["done", "pending", "pending"])
    #expect(try space.run(fakeJobs([1, 2, 3])).imagesMade == 2)
  }

  @Test(arguments: [[SIGINT, SIGINT, 130], [SIGTERM, SIGTERM, 143], [SIGTERM, SIGINT, 130], [SIGHUP, SIGTERM, 143]])
  func `a second signal ends the process at once`(numbers: [Int32]) async {
    // The first signal, the second, and the exit code.
    await #expect(processExitsWith: .exitCode(numbers[2])) { [numbers = numbers as [Int32]] in
      StopSignals.install()
      raise(numbers[0])
      raise(numbers[1])
    }
  }

  @Test(arguments: [[SIGINT, 130], [SIGTERM, 75], [SIGHUP, 75], [SIGUSR1, 75]])
  func `before the work begins one signal is enough`(numbers: [Int32]) async {
    // The signal and the exit code.
    await #expect(processExitsWith: .exitCode(numbers[1])) { [numbers = numbers as [Int32]] in
      StopSignals.installBeforeWork()
      raise(numbers[0])
    }
  }

  @Test func `a hang-up that is ignored stays ignored`() async {
    await #expect(processExitsWith: .exitCode(75)) {
      signal(SIGHUP, SIG_IGN)
      StopSignals.install()
      raise(SIGHUP)
      raise(SIGHUP)
      if StopSignals.request == nil { exit(75) }
    }
  }
}
