@testable import Networks

/// The configurations in `Tests/FixtureScripts/make_model_names.py`.
enum Configurations {
  struct Model: Sendable {
    var unet = UNetConfiguration()
    var vae = VAEConfiguration()
    var text = CLIPConfiguration()
  }

  static let all: [String: Model] = {
    var oneLayer = Model()
    oneLayer.unet.blockOutChannels = [32, 64, 96]
    oneLayer.unet.setBlocks(layers: 1, depths: [0, 1, 0], middle: 1)
    oneLayer.unet.headCounts = [8, 8, 8]
    oneLayer.unet.crossAttentionWidth = 64
    oneLayer.vae.blockOutChannels = [32, 64]
    oneLayer.vae.layersPerBlock = 1
    oneLayer.text.width = 64
    oneLayer.text.mlpWidth = 256
    oneLayer.text.headCount = 1
    oneLayer.text.layerCount = 1

    var threeLayers = Model()
    threeLayers.unet.blockOutChannels = [64, 32]
    threeLayers.unet.setBlocks(layers: 3, depths: [2, 2], middle: 2)
    threeLayers.unet.headCounts = [8, 8]
    threeLayers.unet.crossAttentionWidth = 128
    threeLayers.unet.usesLinearProjection = true
    threeLayers.vae.blockOutChannels = [64, 32, 32]
    threeLayers.vae.layersPerBlock = 3
    threeLayers.text.width = 128
    threeLayers.text.mlpWidth = 512
    threeLayers.text.headCount = 2
    threeLayers.text.layerCount = 2
    return ["sd15": Model(), "one-layer": oneLayer, "three-layers": threeLayers]
  }()
}
