import Foundation
import Testing
import TestSupport

@testable import Diffusion

/// Files in folders of models.
struct FolderWalkTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder(["models/b/2.pt", "models/a.pt", "models/b/c/1.pt", "elsewhere/d/3.pt"])
  }

  private func link(_ name: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(atPath: folder(name), withDestinationPath: folder(target))
  }

  @Test func `files of all subfolders are found, in order`() {
    #expect(FolderWalk.files(below: folder("models")) == ["a.pt", "b/2.pt", "b/c/1.pt"])
    #expect(FolderWalk.files(below: folder("missing")) == [])
    #expect(FolderWalk.files(below: folder("models/a.pt")) == [])
  }

  @Test func `links are followed, and those in a circle end`() throws {
    try link("models/link", to: "elsewhere/d")
    try link("models/b/round", to: "models")
    try link("models/b/z.pt", to: "elsewhere/d/3.pt")
    try link("models/gone.pt", to: "nowhere")
    #expect(FolderWalk.files(below: folder("models")) == ["a.pt", "b/2.pt", "b/c/1.pt", "b/z.pt", "link/3.pt"])
    try link("other", to: "models")
    #expect(FolderWalk.files(below: folder("other")) == FolderWalk.files(below: folder("models")))
  }

  @Test func `LoRAs are found in linked folders`() throws {
    try FileManager.default.createDirectory(atPath: folder("root"), withIntermediateDirectories: true)
    try link("root/lora", to: "models")
    #expect(LoRAFolders(roots: [folder("root")]).path(of: "1") == folder("root/lora/b/c/1.pt"))
  }
}
