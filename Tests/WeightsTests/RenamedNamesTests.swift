import Testing
import TestSupport

@testable import Weights

/// Recognition of the family by shapes of full-size files, where stable-diffusion.cpp's names are ambiguous.
struct RenamedNamesTests {
  private static func file(width: Int, label: Bool = false, second: Bool = false) -> [SyntheticTensor] {
    let unet = "model.diffusion_model."
    var tensors = [
      SyntheticTensor(unet + "input_blocks.0.0.weight", [320, 4, 3, 3]),
      SyntheticTensor(unet + "input_blocks.1.0.in_layers.2.weight", [320, 320, 3, 3]),
      SyntheticTensor(unet + "input_blocks.1.1.proj_in.weight", [320, 320, 1, 1]),
      SyntheticTensor(unet + "input_blocks.4.0.skip_connection.weight", [640, 320, 1, 1]),
      SyntheticTensor("cond_stage_model.transformer.text_model.embeddings.token_embedding.weight", [49408, width]),
    ]
    if label { tensors.append(SyntheticTensor(unet + "label_emb.0.0.weight", [1280, 2560])) }
    if second {
      tensors.append(
        SyntheticTensor("cond_stage_model.1.transformer.text_model.embeddings.token_embedding.weight", [49408, 1280]))
    }
    return tensors
  }

  @Test func `the family is recognised by the width of a text encoder and by the UNet's vector`() throws {
    let folder = try TemporaryFolder()
    let files: [(tensors: [SyntheticTensor], family: ModelFamily)] = [
      (Self.file(width: 768), .sd1), (Self.file(width: 1024), .sd2),
      (Self.file(width: 1280, label: true), .sdxlRefiner), (Self.file(width: 768, label: true, second: true), .sdxl),
    ]
    for (index, file) in files.enumerated() {
      let path = try folder.write("\(index).safetensors", file.tensors)
      let model = try ModelFiles.open(path: path)
      #expect(model.family == file.family)
      #expect(model.unread.isEmpty, "\(model.unread)")
      #expect(
        model.textEncoders.map { $0.store.shape("embeddings.token_embedding.weight")?.last }
          == (file.family == .sdxl ? [768, 1280] : [file.tensors[4].shape[1]]))
    }
  }
}
