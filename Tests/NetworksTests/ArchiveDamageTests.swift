import Foundation
import Testing
import TestSupport
import Weights

@testable import Networks

struct ArchiveDamageTests {
  /// A shape as the audit reports it: the shape of a matrix if the file has a 1×1 convolution.
  private func asked(_ tensor: SyntheticTensor) -> [Int] {
    tensor.name.contains("mid.attn_1") ? Array(tensor.shape.prefix(2)) : tensor.shape
  }

  /// The tensors that an image needs: all except those of the VAE's encoder.
  private func needed(_ fixture: ModelFixture) -> [SyntheticTensor] {
    fixture.singleFile().filter {
      !$0.name.hasPrefix("first_stage_model.encoder.") && !$0.name.hasPrefix("first_stage_model.quant_conv.")
    }
  }

  /// Every tensor of the small model, and some of the larger one.
  @Test(arguments: [("one-layer", 1), ("three-layers", 7)])
  func `each missing tensor of a single file is reported, and it alone`(name: String, stride: Int) throws {
    let folder = try TemporaryFolder()
    let tensors = needed(try ModelFixture(name))
    for (index, missing) in tensors.enumerated() where index.isMultiple(of: stride) {
      var others = tensors
      others.remove(at: index)
      let audit = try ModelArchive.open(path: try folder.write("model.safetensors", others)).audit()
      #expect(audit.findings == [.missing(name: missing.name, shape: asked(missing))], "\(missing.name)")
    }
  }

  @Test func `each missing tensor of a folder is reported, and it alone`() throws {
    let folder = try TemporaryFolder()
    let fixture = try ModelFixture("one-layer")
    let path = try fixture.writeFolder(to: folder, as: "model")
    for (network, file) in [("unet", "diffusion_pytorch_model"), ("text_encoder", "model")] {
      let tensors = fixture.diffusers(network)
      for (index, missing) in tensors.enumerated() {
        var others = tensors
        others.remove(at: index)
        try folder.write("model/\(network)/\(file).safetensors", others)
        let audit = try ModelArchive.open(path: path).audit()
        #expect(audit.findings == [.missing(name: missing.name, shape: missing.shape)])
      }
      try folder.write("model/\(network)/\(file).safetensors", tensors)
    }
  }

  @Test(arguments: [("one-layer", 1), ("three-layers", 7)])
  func `each misshapen tensor of a single file is reported, and it alone`(name: String, stride: Int) throws {
    let folder = try TemporaryFolder()
    let tensors = needed(try ModelFixture(name))
    for index in tensors.indices where index.isMultiple(of: stride) {
      var changed = tensors
      changed[index].shape[0] += 1
      // These two define the number of tokens and positions, so no other tensor contradicts them.
      if tensors[index].name.contains("embeddings.") { changed[index].shape = tensors[index].shape.reversed() + [1] }
      let path = try folder.write("model.safetensors", changed)
      let expected = WeightAudit.Finding.misshapen(
        name: tensors[index].name, found: changed[index].shape, expected: asked(tensors[index]))
      let findings = try ModelArchive.open(path: path).audit().findings
      if tensors[index].name.contains("embeddings.") {
        #expect(findings.map(\.name) == [tensors[index].name])
      } else {
        #expect(findings == [expected], "\(tensors[index].name)")
      }
    }
  }

  @Test func `whole layers that are missing are reported tensor by tensor`() throws {
    let folder = try TemporaryFolder()
    let tensors = needed(try ModelFixture("three-layers"))
    for part in [
      "model.diffusion_model.input_blocks.4.0.op.", "model.diffusion_model.output_blocks.3.0.",
      "model.diffusion_model.input_blocks.7.0.", "model.diffusion_model.output_blocks.7.1.proj_in.",
      "model.diffusion_model.middle_block.0.", "model.diffusion_model.input_blocks.2.1.transformer_blocks.0.",
      "cond_stage_model.transformer.text_model.encoder.layers.0.", "first_stage_model.decoder.up.1.block.0.",
      "first_stage_model.decoder.mid.attn_1.", "first_stage_model.post_quant_conv.",
    ] {
      let removed = tensors.filter { $0.name.hasPrefix(part) }
      #expect(!removed.isEmpty)
      let path = try folder.write("model.safetensors", tensors.filter { !$0.name.hasPrefix(part) })
      let findings = try ModelArchive.open(path: path).audit().findings
      #expect(Set(findings) == Set(removed.map { .missing(name: $0.name, shape: asked($0)) }), "\(part)")
    }
  }

  @Test(arguments: [
    "model.diffusion_model.output_blocks.7.1.", "model.diffusion_model.middle_block.",
    "model.diffusion_model.input_blocks.2.1.transformer_blocks.1.",
  ])
  func `a UNet without one of its transformers, or only without its middle, is damaged and not a distilled one`(
    part: String
  ) throws {
    let folder = try TemporaryFolder()
    let all = needed(try ModelFixture("three-layers"))
    let path = try folder.write("model.safetensors", all.filter { !$0.name.hasPrefix(part) })
    let removed = all.filter { $0.name.hasPrefix(part) }
    let findings = try ModelArchive.open(path: path).audit().findings
    #expect(Set(findings) == Set(removed.map { .missing(name: $0.name, shape: asked($0)) }))
  }

  @Test(arguments: [
    "junk", "model.diffusion_model.junk.weight", "model.diffusion_model.input_blocks.9.0.in_layers.0.weight",
    "model.diffusion_model.input_blocks.1.1.norm.weight", "cond_stage_model.transformer.text_model.junk",
    "cond_stage_model.junk", "first_stage_model.junk", "first_stage_model.decoder.junk", "model.junk",
    "model.diffusion_model.output_blocks.6.0.in_layers.0.bias",
  ])
  func `a tensor that nothing reads is reported, and it alone`(name: String) throws {
    let folder = try TemporaryFolder()
    let tensors = try ModelFixture("one-layer").singleFile() + [SyntheticTensor(name, [3])]
    let audit = try ModelArchive.open(path: try folder.write("model.safetensors", tensors)).audit()
    #expect(audit.findings == [.unread(name: name, shape: [3])])
  }

  @Test func `weights of another type are reported`() throws {
    let folder = try TemporaryFolder()
    var tensors = try ModelFixture("one-layer").singleFile()
    tensors[3].type = "I64"
    let audit = try ModelArchive.open(path: try folder.write("model.safetensors", tensors)).audit()
    #expect(audit.findings == [.elementType(name: tensors[3].name, found: "I64")])
  }

  @Test func `with a separate VAE the model's own is not checked`() throws {
    let folder = try TemporaryFolder()
    let tensors = try ModelFixture("one-layer").singleFile().filter {
      $0.name != "first_stage_model.decoder.conv_in.bias"
    }
    let archive = try ModelArchive.open(path: try folder.write("model.safetensors", tensors))
    #expect(archive.audit().findings.count == 1)
    #expect(archive.audit(vae: .separate).isClean)
  }

  /// Every result is correct, except a crash or a long wait.
  @Test func `thousands of odd sets of tensors never crash`() throws {
    let folder = try TemporaryFolder()
    let tensors = try ModelFixture("one-layer").singleFile()
    var random = SplitMix64(state: 7)
    var opened = 0
    for _ in 0..<1000 {
      var odd = tensors
      for _ in 0..<Int.random(in: 1...40, using: &random) { mutate(&odd, &random) }
      // A valid file has unique names.
      var names = Set<String>()
      odd = odd.filter { names.insert($0.name).inserted }
      let path = try folder.write("odd.safetensors", odd)
      do throws(WeightError) {
        let archive = try ModelArchive.open(path: path)
        #expect(archive.audit().description.count < 20_000)
        _ = archive.unet.untaken
        opened += 1
      } catch {
        #expect("\(error)".contains(path))
      }
      _ = try? ModelArchive.openVAE(path: path).audit()
    }
    #expect(opened > 100)
  }

  private func mutate(_ tensors: inout [SyntheticTensor], _ random: inout SplitMix64) {
    let index = Int.random(in: 0..<tensors.count, using: &random)
    switch Int.random(in: 0..<6, using: &random) {
    case 0: tensors.remove(at: index)
    case 1:
      tensors[index].shape =
        tensors[index].shape.map { _ in [0, 1, 3, 64, 1000].randomElement(using: &random) ?? 0 } + [0]
    case 2: tensors[index].shape.removeLast(min(1, tensors[index].shape.count))
    case 3: tensors[index].shape = [1 << 40, 0]
    case 4:
      let number = ["0", "1", "2", "7", "15", "99", "100", "-1", "99999999999999999999", ""].randomElement(
        using: &random)
      let parts = tensors[index].name.split(separator: ".").map { Int($0) == nil ? String($0) : number ?? "" }
      tensors[index].name = parts.joined(separator: ".")
    default:
      tensors[index].name = tensors[index].name.split(separator: ".").shuffled(using: &random).joined(separator: ".")
    }
  }
}
