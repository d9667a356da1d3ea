import Testing

@testable import Diffusion

struct CacheLimitTests {
  @Test func `the limit is bytes, or a number with a unit`() throws {
    #expect(try CacheLimit.bytes([:]) == 20 << 30)
    for (text, bytes) in [("", 20 << 30), ("0", 0), ("4096", 4096), ("1.5GiB", 3 << 29), ("2 gb", 2_000_000_000)] {
      #expect(try CacheLimit.bytes(["SDBATCH_CACHE_LIMIT": text]) == bytes)
    }
  }

  @Test(arguments: ["many", "-1", "5 apples", "1e400GiB"])
  func `another text is an error that names it`(text: String) {
    let error = #expect(throws: EngineError.self) { try CacheLimit.bytes(["SDBATCH_CACHE_LIMIT": text]) }
    #expect(error?.description.contains(text) == true)
  }
}
