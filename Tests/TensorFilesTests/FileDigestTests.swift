import Foundation
import Testing
import TestSupport

@testable import TensorFiles

struct FileDigestTests {
  @Test(arguments: [
    // FIPS 180-2, appendix B, and the output of `sha256sum` for /dev/null.
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (String(repeating: "a", count: 1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
  ])
  func `digests equal published ones`(text: String, digest: String) throws {
    let folder = try TemporaryFolder()
    #expect(try FileDigest.sha256(ofFileAt: try folder.write("a", text)) == digest)
  }

  @Test func `a file longer than the buffer has the digest that sha256sum prints`() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("big", (0..<3_500_001).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
    #expect(try FileDigest.sha256(ofFileAt: path) == shell("sha256sum < big | cut -c1-64", in: folder))
  }

  @Test func `a folder's digest is that of the sorted listing of sha256sum`() throws {
    let folder = try TemporaryFolder()
    let files = ["unet/config.json", "unet/b.safetensors", "vae/a b.json", "Z.json", "é.json"]
    for file in files { try folder.write(file, file + "'s text") }
    try folder.write("unused", "")
    let expected = try shell(
      "export LC_ALL=C; printf '%s\\n' Z.json é.json unet/b.safetensors unet/config.json 'vae/a b.json' | sort"
        + " | while read -r f; do sha256sum \"$f\"; done | sha256sum | cut -c1-64", in: folder)
    let cache = DigestCache(environment: [:])
    #expect(try cache.sha256(ofFiles: files, in: folder.path) == expected)
    #expect(try cache.sha256(ofFiles: files.reversed(), in: folder.path) == expected)
  }

  @Test func `a file that cannot be read is an error`() throws {
    let folder = try TemporaryFolder()
    #expect(throws: TensorFileError.self) { try FileDigest.sha256(ofFileAt: folder("absent")) }
    #expect(throws: TensorFileError.self) { try FileDigest.sha256(ofFileAt: folder.path) }
    #expect(throws: TensorFileError.self) {
      try DigestCache(environment: ["HOME": folder.path]).sha256(ofFileAt: folder("no"))
    }
  }

  private func shell(_ command: String, in folder: TemporaryFolder) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", command]
    process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: output, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
  }
}

struct DigestCacheTests {
  private let folder: TemporaryFolder
  private let file: String
  private let cache: DigestCache
  private let digestOfABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

  init() throws {
    folder = try TemporaryFolder()
    file = try folder.write("model", "abc")
    cache = DigestCache(environment: ["XDG_CACHE_HOME": folder("cache")])
    try setTime(1_700_000_000, 123_456_789)
  }

  private func setTime(_ seconds: Int, _ nanoseconds: Int) throws {
    let time = timespec(tv_sec: seconds, tv_nsec: nanoseconds)
    try #require(utimensat(AT_FDCWD, file, [time, time], 0) == 0)
  }

  private func entries() throws -> [String] {
    guard FileManager.default.fileExists(atPath: folder("cache/sdbatch/digests")) else { return [] }
    return try FileManager.default.contentsOfDirectory(atPath: folder("cache/sdbatch/digests"))
  }

  @Test func `a digest is cached in the cache folder of the environment`() throws {
    #expect(try cache.sha256(ofFileAt: file) == digestOfABC)
    #expect(try entries().count == 1)
    // Size and time are unchanged, so the cached digest is returned.
    try folder.write("model", "xyz")
    try setTime(1_700_000_000, 123_456_789)
    #expect(try cache.sha256(ofFileAt: file) == digestOfABC)
  }

  @Test func `a change of the time, even by a nanosecond, or of the size invalidates the entry`() throws {
    #expect(try cache.sha256(ofFileAt: file) == digestOfABC)
    try folder.write("model", "xyz")
    try setTime(1_700_000_000, 123_456_788)
    #expect(try cache.sha256(ofFileAt: file) == "3608bca1e44ea6c4d268eb6db02260269892c0b42b86bbf1e77a6fa16c3c9282")
    try folder.write("model", "")
    try setTime(1_700_000_000, 123_456_788)
    #expect(try cache.sha256(ofFileAt: file) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(try entries().count == 1)
  }

  @Test func `entries beyond a limit are removed, the oldest first`() throws {
    #expect(try cache.sha256(ofFileAt: file) == digestOfABC)
    let entries = folder("cache/sdbatch/digests")
    for index in 0..<DigestCache.entryLimit {
      let path = try folder.write("cache/sdbatch/digests/\(index)", [])
      let old = timespec(tv_sec: 1000 + index, tv_nsec: 0)
      #expect(utimensat(AT_FDCWD, path, [old, old], 0) == 0)
    }
    DigestCache.prune(entries)
    let left = try FileManager.default.contentsOfDirectory(atPath: entries)
    #expect(left.count == DigestCache.entryLimit / 2)
    #expect(left.contains("\(DigestCache.entryLimit - 1)") && !left.contains("0"))
    // The newest is the real one.
    try folder.write("model", "xyz")
    try setTime(1_700_000_000, 123_456_789)
    #expect(try cache.sha256(ofFileAt: file) == digestOfABC)
    DigestCache.prune(entries)
    #expect(try FileManager.default.contentsOfDirectory(atPath: entries).count == left.count)
  }

  @Test func `a link shares its target's entry`() throws {
    try FileManager.default.createSymbolicLink(atPath: folder("link"), withDestinationPath: file)
    #expect(try cache.sha256(ofFileAt: file) == digestOfABC)
    #expect(try cache.sha256(ofFileAt: folder("link")) == digestOfABC)
    #expect(try entries().count == 1)
  }

  @Test func `the digest of a file that has just been written is not cached`() throws {
    let fresh = try folder.write("fresh", "abc")
    #expect(try cache.sha256(ofFileAt: fresh) == digestOfABC)
    #expect(try entries().isEmpty)
  }

  @Test func `a damaged entry is ignored and replaced`() throws {
    #expect(try cache.sha256(ofFileAt: file) == digestOfABC)
    let entry = "cache/sdbatch/digests/" + (try #require(try entries().first))
    let whole = try Data(contentsOf: URL(fileURLWithPath: folder(entry)))
    var damaged = (0..<whole.count).map { whole.prefix($0) }
    damaged += [Data(repeating: 0xFF, count: 300), whole + Data("x".utf8), Data(repeating: 10, count: 100_000)]
    damaged += [16, 20, 30].map { at in
      var bytes = whole
      bytes[at] ^= 1
      return bytes
    }
    // The file has changed, so an accepted entry would give the old digest.
    try folder.write("model", "xyz")
    try setTime(1_700_000_000, 123_456_789)
    for bytes in damaged {
      try folder.write(entry, bytes)
      #expect(try cache.sha256(ofFileAt: file) == "3608bca1e44ea6c4d268eb6db02260269892c0b42b86bbf1e77a6fa16c3c9282")
    }
  }

  @Test func `a cache that cannot be written is not an error`() throws {
    try folder.write("blocked", "a file where the folder should be")
    for environment in [
      ["XDG_CACHE_HOME": folder("blocked")], ["XDG_CACHE_HOME": "/proc/nowhere"], [:], ["XDG_CACHE_HOME": "relative"],
    ] {
      #expect(try DigestCache(environment: environment).sha256(ofFileAt: file) == digestOfABC)
    }
  }

  @Test func `the default is the cache folder in the home`() {
    #expect(DigestCache(environment: ["HOME": "/home/x"]).folder == "/home/x/.cache/sdbatch/digests")
    #expect(
      DigestCache(environment: ["HOME": "/home/x", "XDG_CACHE_HOME": ""]).folder == "/home/x/.cache/sdbatch/digests")
    #expect(DigestCache(environment: ["HOME": "/home/x", "XDG_CACHE_HOME": "/c"]).folder == "/c/sdbatch/digests")
    #expect(DigestCache(environment: [:]).folder == nil)
  }

  @Test func `concurrent use is safe`() async throws {
    let cache = cache
    let file = file
    try await withThrowingTaskGroup(of: String.self) { group in
      for _ in 0..<64 { group.addTask { try cache.sha256(ofFileAt: file) } }
      for try await digest in group { #expect(digest == digestOfABC) }
    }
    #expect(try entries().count == 1)
  }
}
