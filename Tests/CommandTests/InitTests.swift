import Foundation
import JSON
import Testing
import TestSupport

/// `sdbatch init` and `sdbatch models` as a newcomer uses them.
@Suite struct InitTests {
  @Test func `the recipe that init writes runs, and has the axes that were asked for`() async throws {
    let space = try Workspace()
    let result = try await space.run(
      "init", "new.yaml", "--prompt", "a \"red\" fish: # no comment", "--axis", "cfg_scale=5, 7",
      "--axis", "sampler_name=Euler,DPM++ 2M", "--axis", "seed=1,2,...,3")
    #expect(result.output == "new.yaml: 12 images; make them with: sdbatch new.yaml\n")
    let plan = try await space.run("plan", "new.yaml", "--json")
    #expect(try JSONValue(parsing: plan.output)["jobs"] == 12)
    #expect(try space.text("new.yaml").contains(#"prompt: "a \"red\" fish: # no comment""#))
  }

  @Test func `init overwrites nothing, and writes nothing that would not run`() async throws {
    let space = try Workspace()
    try space.write("mine", to: "new.yaml")
    #expect(try await space.run("init", "new.yaml", exits: 74).errors.contains("new.yaml"))
    #expect(try space.text("new.yaml") == "mine")
    let wrong = try await space.run("init", "other.yaml", "--axis", "cfg=1,2", exits: 10)
    #expect(wrong.errors.contains("cfg"))
    #expect(try await space.run("init", "other.yaml", "--axis", "cfg_scale", exits: 64).errors.contains("--axis"))
    #expect(!space.exists("other.yaml"))
  }

  @Test func `models lists what is in another program's folder, and what is missing`() async throws {
    let space = try Workspace()
    try space.makeFolder("ComfyUI/models/checkpoints")
    try space.write("no model", to: "ComfyUI/models/checkpoints/broken.safetensors")
    let result = try await space.run("models", "--models-from", "ComfyUI", "--json")
    let entries = try #require(JSONValue(parsing: result.output).elements)
    #expect(entries.count == 1)
    #expect(entries[0]["name"] == "checkpoints/broken.safetensors")
    #expect(entries[0]["kind"] == "unreadable")
    #expect(try await space.run("models", "--models-from", "nowhere", exits: 10).errors.contains("nowhere"))
  }
}
