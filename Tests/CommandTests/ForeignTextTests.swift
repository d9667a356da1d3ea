import Foundation
import JSON
import Testing

/// Texts from files on the terminal, and output that no process reads.
@Suite struct ForeignTextTests {
  private func expectHarmless(_ child: Child, at location: SourceLocation = #_sourceLocation) {
    let text = child.output + child.errors
    let harmful = text.unicodeScalars.filter {
      $0 != "\n" && ($0.value < 0x20 || (0x7F...0x9F).contains($0.value) || (0x202A...0x202E).contains($0.value))
    }
    #expect(harmful.isEmpty, "\(String(reflecting: text))", sourceLocation: location)
  }

  @Test func `names and metadata of a model file, and its path, are escaped`() async throws {
    let space = try Workspace(recipe: nil)
    let header = Data(
      #"{"__metadata__":{"modelspec.title":"\u001b]0;x\u0007y\u202ez"},"a\u001b[31mx.lora_up.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
        .utf8)
    var size = UInt64(header.count).littleEndian
    try space.write(Data(bytes: &size, count: 8) + header + Data(count: 4), to: "m\u{1B}[2J\nFAKE.safetensors")
    for json in [[], ["--json"]] {
      let child = try space.start(
        [Child.program, "inspect", "m\u{1B}[2J\nFAKE.safetensors"] + json, environment: [:])
      _ = try await child.wait()
      expectHarmless(child)
      #expect(!(child.output + child.errors).contains("\nFAKE"))
    }
  }

  @Test func `a run folder with a line break makes no line of its own`() async throws {
    let space = try Workspace(
      recipe: "prompt: a\nsteps: 1\nwidth: 64\nheight: 64\noutput: \"out\\nFAKE: 9 of 9 done\"\n")
    for command in [["run", "recipe.yaml"], ["plan", "recipe.yaml"], ["status", "out\nFAKE: 9 of 9 done"]] {
      let child = try space.start([Child.program] + command, environment: [:])
      #expect(try await child.wait() == .exited(0))
      expectHarmless(child)
      #expect(!(child.output + child.errors).contains("\nFAKE"), "\(child.output)\(child.errors)")
    }
  }

  @Test(
    arguments: [
      "schema", "--help", "help run", "--version", "--generate-completion-script bash", "plan recipe.yaml",
      "plan recipe.yaml --json", "status run", "verify run", "why run", "inspect run/images/*.png",
      "slurm recipe.yaml --shards 2 --cpus 1 --time 1:00:00",
    ])
  func `output that cannot be written ends with 74 and a message`(command: String) async throws {
    let space = try Workspace(recipe: "prompt: a\nsteps: 1\nseed: 1\nwidth: 64\nheight: 64\noutput: run\n")
    if command.contains("run/") || command.hasSuffix(" run") { try await space.run("recipe.yaml", "--quiet") }
    let child = try space.startShell("\"$0\" \(command) > /dev/full")
    #expect(try await child.wait() == .exited(74), "\(child.errors)")
    #expect(child.errors.contains("standard output cannot be written"), "\(child.errors)")
    let quiet = try space.startShell("\"$0\" \(command) | true")
    #expect(try await quiet.wait() == .exited(0))
    #expect(!quiet.errors.contains("standard output"), "\(quiet.errors)")
  }

  @Test func `mistakes of the command line show no secrets and obey no escapes`() async throws {
    let space = try Workspace()
    for arguments in [["run", "recipe.yaml", "https://user:SECRET@h/\u{1B}[2J"], ["--nonsense\u{1B}]0;x\u{7}"]] {
      let child = try space.start([Child.program] + arguments, environment: [:])
      _ = try await child.wait()
      expectHarmless(child)
      #expect(!(child.output + child.errors).contains("SECRET"))
    }
  }
}
