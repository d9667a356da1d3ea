import Foundation
import TestSupport
import Testing
import TensorFiles
import Weights

/// The random models of the tests, against the same generator in Python (`Tests/FixtureScripts/random_weights.py`).
@Suite struct RandomWeightsTests {
  @Test func `Swift and Python make the same random weights`() throws {
    let digests = try Fixtures.decode([String: [String: String]].self, from: "RandomWeights/digests.json")
    #expect(digests.count > 10)
    for (file, expected) in digests {
      let tensors = try SafetensorsFile(path: RandomModels.path(file)).tensors
      for (name, sha256) in expected {
        let floats = try #require(tensors[name], "\(file) \(name)").floats()
        #expect(floats.withUnsafeBytes { digest(Data($0)) } == sha256, "\(file) \(name)")
      }
    }
  }
}
