import Foundation
import Imaging
import Testing
import TestSupport

/// `sdbatch upscale`
@Suite struct UpscaleTests {
  private func png(_ space: Workspace, _ name: String) throws -> PNGFile {
    try PNGFile(decoding: Array(space.data(name)))
  }

  @Test func `all images of a run are enlarged once, with their text`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml")
    let first = try await space.run("upscale", "run", "--upscaler", Fixtures.path("Upscalers/compact.pth"))
    #expect(first.outputLines.last == "4 made, 0 existed")
    let small = try space.images()
    for name in small.keys {
      let (old, new) = (try png(space, "run/images/\(name)"), try png(space, "run/upscaled/\(name)"))
      #expect(new.image.width == 128 && new.image.height == 128)
      #expect(new.text("parameters") == old.text("parameters"))
      #expect(
        new.text("postprocessing")?.hasPrefix("Postprocess upscale by: 2.0, Postprocess upscaler: compact,") == true)
    }
    #expect(try space.images() == small)
    let second = try await space.run("upscale", "run", "--upscaler", Fixtures.path("Upscalers/compact.pth"))
    #expect(second.outputLines.last == "0 made, 4 existed")
    let name = try #require(small.keys.sorted().first)
    try space.write(Data("cut".utf8), to: "run/upscaled/\(name)")
    #expect(
      try await space.run("upscale", "run", "--upscaler", Fixtures.path("Upscalers/compact.pth")).outputLines.last
        == "1 made, 3 existed")
    #expect(try await space.run("verify", "run").output.contains("all correct"))
  }

  @Test func `single images reach the size asked for`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml", "--set", "seed=1")
    let name = try #require(try space.images().keys.first)
    try await space.run("upscale", "run/images/\(name)", "--to", "100x90", "--output", "large")
    let large = try png(space, "large/\(name)")
    let small = try png(space, "run/images/\(name)").image
    #expect(large.image.width == 100 && large.image.height == 90)
    // By the larger of both factors to multiples of eight, then to the size, as in the webui.
    let once = small.resized(width: 100, height: 100, filter: .lanczos).resized(width: 96, height: 96, filter: .lanczos)
    #expect(large.image == once.resized(width: 100, height: 90, filter: .lanczos))
  }

  @Test(arguments: [
    (["upscale", "missing.png"], Int32(10), "there is no such file"),
    (["upscale", "recipe.yaml"], 10, "recipe.yaml"),
    (["upscale", "recipe.yaml", "--upscaler", "none-such"], 10, "upscalers"),
    (["upscale", "recipe.yaml", "--by", "0"], 64, "--by takes 1 to 8"),
    (["upscale", "recipe.yaml", "--to", "0x8"], 64, "--to 0x8"),
  ])
  func `what cannot be enlarged is refused with the reason`(arguments: [String], code: Int32, words: String)
    async throws
  {
    let space = try Workspace()
    let child = try space.start([Child.program] + arguments, environment: [:])
    #expect(try await child.wait() == .exited(code))
    #expect(child.errors.contains(words), "\(child.errors)")
  }
}
