import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Runs

/// Waiting for disk space, processors and mains power.
@Suite struct ResourceGateTests {
  /// A machine whose numbers the test sets; each look takes a short time.
  private final class FakeMachine: Sendable {
    struct State {
      var free: Int64? = 100
      var load: Double? = 0
      var used = 0.0
      var isOnBattery = false
      var time = 0.0
      var sleeps = 0
    }

    let state = Mutex(State())
    let change: @Sendable (inout State) -> Void

    init(_ change: @escaping @Sendable (inout State) -> Void = { _ in }) { self.change = change }

    var machine: ResourceGate.Machine {
      var machine = ResourceGate.Machine()
      machine.free = { _ in self.state.withLock(\.free) }
      machine.load = { self.state.withLock(\.load) }
      machine.used = { self.state.withLock(\.used) }
      machine.isOnBattery = { self.state.withLock(\.isOnBattery) }
      machine.now = { self.state.withLock(\.time) }
      machine.sleep = {
        self.state.withLock { state in
          state.sleeps += 1
          state.time += 1
          self.change(&state)
        }
      }
      return machine
    }
  }

  private func gate(
    _ fake: FakeMachine, _ lines: Lines, _ set: (inout ResourceGate.Limits) -> Void
  ) -> ResourceGate {
    var limits = ResourceGate.Limits()
    set(&limits)
    return ResourceGate(limits, path: "/run", machine: fake.machine) { lines.add($0) }
  }

  private final class Lines {
    private(set) var all: [String] = []
    func add(_ line: String) { all.append(line) }
  }

  @Test func `it waits for disk space, says so once, and continues`() {
    let fake = FakeMachine { state in if state.sleeps == 5 { state.free = 3 << 30 } }
    fake.state.withLock { $0.free = 1 << 30 }
    let lines = Lines()
    let gate = gate(fake, lines) { $0.free = 2 << 30 }
    #expect(gate.pass { nil } == nil)
    #expect(lines.all == ["waiting: 1.0 GiB free on the disk of /run, --min-free 2.0 GiB", "continuing"])
    #expect(fake.state.withLock(\.sleeps) == 5)
    // It looks again only after a while.
    fake.state.withLock { $0.free = 0 }
    #expect(gate.pass { nil } == nil && lines.all.count == 2)
  }

  @Test func `a stop ends the waiting`() {
    let fake = FakeMachine()
    fake.state.withLock { $0.isOnBattery = true }
    let lines = Lines()
    let gate = gate(fake, lines) { $0.battery = true }
    #expect(gate.pass { fake.state.withLock(\.sleeps) > 3 ? .until : nil } == .until)
    #expect(lines.all == ["waiting: on battery, --pause-on-battery"])
  }

  @Test func `the load of the run itself does not count`() {
    let fake = FakeMachine { state in state.load = 0 }
    let lines = Lines()
    let gate = gate(fake, lines) { $0.load = 1 }
    // Four processors busy for ten minutes, all of them ours. The kernel's average follows slowly.
    for minute in 1...40 {
      fake.state.withLock { state in
        state.time = Double(minute) * 15
        state.used = Double(minute) * 60
        state.load = 4 * (1 - exp(-Double(minute) / 4))
      }
      #expect(gate.pass { nil } == nil)
    }
    #expect(lines.all.isEmpty)
    let before = lines.all.count
    // Two more by another process.
    fake.state.withLock { state in
      state.time += 15
      state.used += 60
      state.load = 6
    }
    _ = gate.pass { nil }
    #expect(lines.all.count == before + 2 && lines.all[before].hasPrefix("waiting: the load by other processes is "))
  }

  @Test func `what is unknown is not waited for`() {
    let fake = FakeMachine()
    fake.state.withLock { ($0.free, $0.load) = (nil, nil) }
    let lines = Lines()
    let gate = gate(fake, lines) { ($0.free, $0.load, $0.battery) = (1, 0, true) }
    #expect(gate.pass { nil } == nil && lines.all.isEmpty)
  }

  @Test func `batteries and mains by the kernel's list`() throws {
    let folder = try TemporaryFolder()
    func set(_ supply: String, _ values: [String: String]) throws {
      try FileManager.default.createDirectory(
        atPath: "\(folder.path)/\(supply)", withIntermediateDirectories: true)
      for (name, value) in values {
        try Data("\(value)\n".utf8).write(to: URL(fileURLWithPath: "\(folder.path)/\(supply)/\(name)"))
      }
    }
    #expect(!ResourceGate.Machine.isOnBattery(folder.path + "/none"))
    try set("hidpp_0", ["type": "Battery", "scope": "Device", "status": "Discharging"])
    #expect(!ResourceGate.Machine.isOnBattery(folder.path))
    try set("BAT0", ["type": "Battery", "status": "Discharging"])
    #expect(ResourceGate.Machine.isOnBattery(folder.path))
    try set("AC", ["type": "Mains", "online": "0"])
    #expect(ResourceGate.Machine.isOnBattery(folder.path))
    try set("AC", ["online": "1"])
    #expect(!ResourceGate.Machine.isOnBattery(folder.path))
    #expect(ResourceGate.Machine.freeBytes("/no/such/folder").map { $0 > 0 } == true)
  }
}
