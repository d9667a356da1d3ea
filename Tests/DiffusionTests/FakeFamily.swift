import Networks
import Sampling
import Settings
import TensorFiles
import Tensors
import Tokenization
import Weights

@testable import Diffusion

/// A network that is not a UNet. Its output depends on every input, so that a test notices if one is lost.
final class FakeNetwork: DenoisingNetwork {
  /// A prompt is a number.
  struct Context: NetworkContext {
    let strength: Float
    let identity = ContextIdentity()
  }

  /// What one call was given.
  struct Call: Equatable {
    var timestep: Float
    var latents: Int
    var strengths: [Float]
    var guidance: Float
    var features: [Float]?
  }

  let readsGuidance: Bool
  /// All calls so far.
  private(set) var calls: [Call] = []
  private let compute: Compute

  init(_ compute: Compute, readsGuidance: Bool = false) {
    self.compute = compute
    self.readsGuidance = readsGuidance
  }

  func forward(
    _ latents: Tensor, timestep: Float, contexts: [Context], guidance: Float, options: NetworkOptions
  ) -> Tensor {
    run(latents, timestep, contexts, guidance, options, features: nil)
  }

  /// The deep features are the strength of the prompt.
  func forwardKeepingFeatures(
    _ latents: Tensor, timestep: Float, contexts: [Context], guidance: Float, options: NetworkOptions
  ) -> (output: Tensor, features: [Float]) {
    (run(latents, timestep, contexts, guidance, options, features: nil), contexts.map(\.strength))
  }

  func forward(
    _ latents: Tensor, timestep: Float, contexts: [Context], guidance: Float, options: NetworkOptions,
    reusing features: [Float]
  ) -> Tensor {
    run(latents, timestep, contexts, guidance, options, features: features)
  }

  /// x · strength + timestep / 1000 + merging ratio + features
  private func run(
    _ latents: Tensor, _ timestep: Float, _ contexts: [Context], _ guidance: Float, _ options: NetworkOptions,
    features: [Float]?
  ) -> Tensor {
    calls.append(
      Call(
        timestep: timestep, latents: latents.batch, strengths: contexts.map(\.strength), guidance: guidance,
        features: features))
    let output = compute.tensor(
      batch: contexts.count, height: latents.height, width: latents.width, channels: latents.channels,
      elementType: .fp32)
    let count = latents.count / latents.batch
    for (image, context) in contexts.enumerated() {
      let input = latents.pixel(min(image, latents.batch - 1), 0, 0)
      let result = output.pixel(image, 0, 0)
      let offset = timestep / 1000 + Float(options.tokenMergingRatio) + (features?[image] ?? 0)
      for index in 0..<count { result[index] = input[index] * context.strength + offset }
    }
    return output
  }
}

/// Prompts whose encoding is the sum of their bytes.
final class FakePrompts: PromptEncoding {
  /// Texts that were encoded so far.
  private(set) var encoded: [String] = []
  private(set) var releases = 0

  func use(_ library: EmbeddingLibrary?) {}

  func chunkCount(of text: String, _ emphasis: EmphasisChoice) -> Int { 1 }

  func reduced(_ settings: TextSettings) -> TextSettings { settings }

  func encode(_ texts: [(text: String, count: Int)], _ settings: TextSettings) -> [Int] {
    encoded += texts.map(\.text)
    return texts.map { $0.text.utf8.reduce(0) { $0 + Int($1) } }
  }

  func context(_ encoding: Int, chunkCount: Int, _ settings: TextSettings, for network: FakeNetwork)
    -> FakeNetwork.Context
  {
    FakeNetwork.Context(strength: Float(encoding % 100) / 200)
  }

  func release() { releases += 1 }
}

/// The sizes of `FakeNetwork`.
struct FakeConfiguration: DenoiserConfiguration {
  let latentChannels = 6
  let latentStep = 1
  let readsGuidance = false
  var expectedTensors: [ExpectedTensor] { [ExpectedTensor("weight", [6, 6])] }

  func activationBytes(height: Int, width: Int, images: Int, elementType: ElementType) -> Int {
    images * height * width * latentChannels * elementType.size
  }

  func contextBytes(elementType: ElementType) -> Int { elementType.size }
}

/// A family of models as the engine sees it: this is all that one consists of.
struct FakeModel: DiffusionModel {
  let path: String

  static func recognises(path: String, transformer kind: TransformerKind?) -> Bool { path.hasSuffix(".fake") }

  /// A file whose name begins with a family's name is of that family.
  static func family(ofModelAt path: String) -> FamilyID {
    FamilyID(rawValue: String(path.dropLast(".fake".count))) ?? .stableDiffusion
  }
  init(path: String, parts: ModelParts, vocabularies: VocabularyLocator) { self.path = path }

  let familyName = "fake"
  let familyTitle = "Fake Diffusion"
  let remarks: [String] = []
  let textEncoderPath: String? = nil
  let trainedPrediction: TrainedPrediction? = nil
  let predictionSource: String? = nil
  func variant(usesPrediction: Bool) -> String? { nil }
  let vocabularySHA256 = ""
  func sha256(_ digests: DigestCache) -> String { "" }
  func check(hasSeparateVAE: Bool) {}
  func requireUnchanged() {}

  let latents = LatentFormat(channels: 6, scale: LatentScale(factor: 0.5), tinyDecoder: "fake")
  let decoder: DecoderFiles? = nil
  let encoder: EncoderFiles? = nil
  func requireMatch(_ vae: VAEArchive) {}

  func training(for job: PassSettings) -> TrainingSchedule { TrainingSchedule(flow: job) }
  var denoiser: any DenoiserConfiguration { FakeConfiguration() }
  let denoiserTitle = "fake network"
  let textEncoderBytes = 0

  func networks(_ compute: Compute, smallBytes: Int) -> any SamplingNetworks {
    let network = PagedNetwork(bytes: 0, smallBytes: smallBytes, profiler: compute.profiler, requireUnchanged: {}) {
      FakeNetwork(compute)
    }
    let isFlow = Self.family(ofModelAt: path).traits.flow != nil
    return PagedSamplingNetworks(
      FakePrompts(), network, readsGuidance: false, trainedPrediction: isFlow ? .flow : .epsilon, compute: compute)
  }

  func chunkCount(of text: String, _ emphasis: EmphasisChoice, _ library: EmbeddingLibrary?) -> Int { 1 }

  let adaptedStores: [WeightStore] = []
  func match(_ files: [AdapterFile]) -> [AdapterMatch] { [] }
  func textRepair(of text: String) -> Int? { nil }
  func embeddings(in folders: [String], _ digests: DigestCache) -> EmbeddingLibrary? { nil }
}
