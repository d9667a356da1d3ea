import Testing
import TestSupport
import Weights

@testable import Networks

struct ExpectedTensorsTests {
  @Test(arguments: ModelFixture.all)
  func `the expected tensors are those that diffusers makes for the same configuration`(name: String) throws {
    let fixture = try ModelFixture(name)
    let model = try #require(Configurations.all[name])
    func library(_ network: String) -> Set<ExpectedTensor> {
      Set(fixture.tensors(network).map { ExpectedTensor($0.name, $0.shape) })
    }
    #expect(Set(model.unet.expectedTensors) == library("unet"))
    #expect(Set(model.text.expectedTensors) == library("text_encoder"))
    let decoder = library("vae").filter { $0.name.hasPrefix("decoder.") || $0.name.hasPrefix("post_quant_conv.") }
    #expect(Set(model.vae.expectedTensors) == decoder)
    #expect(model.unet.expectedTensors.count == fixture.tensors("unet").count)
  }
}
