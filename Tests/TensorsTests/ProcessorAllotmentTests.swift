import Testing
import TestSupport

@testable import Tensors

/// Control groups and processor topologies in Linux's files, copied from machines and containers.
@Suite struct ProcessorAllotmentTests {
  private func allotment(_ processors: String, _ files: [String: String]) throws -> ProcessorAllotment {
    let folder = try TemporaryFolder()
    for (name, text) in files { try folder.write(name, text) }
    try folder.write(
      "proc/self/status", "Name:\tsdbatch\nCpus_allowed:\tff\nCpus_allowed_list:\t\(processors)\nThreads:\t3\n")
    return ProcessorAllotment(root: folder.path)
  }

  @Test func `without limits there is a thread for each allowed processor`() throws {
    let found = try allotment("2-4,9,11", [:])
    #expect(found.cores == 5 && found.quota == nil && found.threads == 5)
  }

  @Test func `two allowed hardware threads of a core count once`() throws {
    let topology = { (n: Int) in "sys/devices/system/cpu/cpu\(n)/topology/thread_siblings_list" }
    var files: [String: String] = [:]
    for n in 0..<8 { files[topology(n)] = "\(n % 4),\(n % 4 + 4)\n" }
    #expect(try allotment("0-7", files).threads == 4)
    #expect(try allotment("3-4", files).threads == 2)
    #expect(try allotment("4", files).threads == 1)
  }

  static let mount2 = "25 20 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"

  @Test(arguments: [
    ("150000 100000", 1.5, 2), ("max 100000", nil, 8), ("50000 100000", 0.5, 1), ("400000 100000", 4, 4),
    ("nonsense", nil, 8),
    ("3200000 100000", 32, 8),
  ])
  func `a quota of version 2 limits the threads, and a share of a processor counts as a whole one`(
    text: String, quota: Double?, threads: Int
  ) throws {
    let found = try allotment(
      "0-7",
      [
        "proc/self/cgroup": "0::/\n", "proc/self/mountinfo": Self.mount2, "sys/fs/cgroup/cpu.max": text + "\n",
      ])
    #expect(found.quota == quota && found.threads == threads)
  }

  @Test func `the tightest group around the process counts`() throws {
    let found = try allotment(
      "0-7",
      [
        "proc/self/cgroup": "0::/user.slice/night.service\n", "proc/self/mountinfo": Self.mount2,
        "sys/fs/cgroup/user.slice/cpu.max": "300000 100000\n",
        "sys/fs/cgroup/user.slice/night.service/cpu.max": "600000 100000\n",
      ])
    #expect(found.quota == 3)
  }

  @Test func `a container that sees its group's outside name finds the quota at the mount's root`() throws {
    let found = try allotment(
      "0-7",
      [
        "proc/self/cgroup": "0::/docker/4f1\n",
        "proc/self/mountinfo": "25 20 0:22 /docker/4f1 /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
        "sys/fs/cgroup/cpu.max": "200000 100000\n",
      ])
    #expect(found.quota == 2)
    let outside = try allotment(
      "0-7",
      [
        "proc/self/cgroup": "0::/../other\n", "proc/self/mountinfo": Self.mount2,
        "sys/fs/cgroup/cpu.max": "100000 100000\n",
      ])
    #expect(outside.quota == 1)
  }

  @Test func `a quota of version 1 is found among mounts of other controllers`() throws {
    let found = try allotment(
      "0-7",
      [
        "proc/self/cgroup": "9:name=systemd:/\n4:memory:/job\n2:cpu,cpuacct:/night run\n1:cpuset:/\n0::/\n",
        "proc/self/mountinfo": """
        31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
        32 31 0:29 / /sys/fs/cgroup/cpu\\040all rw,relatime shared:9 master:1 - cgroup cgroup rw,cpu,cpuacct
        34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
        41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
        """,
        "sys/fs/cgroup/cpu all/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu all/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/cpu all/night run/cpu.cfs_quota_us": "250000\n",
        "sys/fs/cgroup/cpu all/night run/cpu.cfs_period_us": "100000\n",
      ])
    #expect(found.quota == 2.5 && found.threads == 3)
  }

  @Test func `this process has at least one thread`() { #expect(ProcessorAllotment().threads >= 1) }
}
