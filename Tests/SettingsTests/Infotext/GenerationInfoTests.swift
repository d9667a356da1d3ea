import Infotext
import JSON
import Settings
import SettingsTestSupport
import Testing

@Suite struct GenerationInfoTests {
  @Test func `the info object has the webui's keys in the webui's order`() throws {
    var settings = ImageSettings()
    settings.prompt = "fish"
    settings.seed = 7
    settings.sampler = .dpmPP2MSDE
    settings.eta = 0.5
    let info = GenerationInfo.json(
      settings, sampleIngredients, infotext: "text", version: "1", timestamp: "20260102030405")
    guard case .object(let members) = info else {
      Issue.record("not an object")
      return
    }
    #expect(
      members.map(\.name) == [
        "prompt", "all_prompts", "negative_prompt", "all_negative_prompts", "seed", "all_seeds", "subseed",
        "all_subseeds", "subseed_strength", "width", "height", "sampler_name", "cfg_scale", "steps", "batch_size",
        "restore_faces", "face_restoration_model", "sd_model_name", "sd_model_hash", "sd_vae_name", "sd_vae_hash",
        "seed_resize_from_w", "seed_resize_from_h", "denoising_strength", "extra_generation_params",
        "index_of_first_image", "infotexts", "styles", "job_timestamp", "clip_skip",
        "is_using_inpainting_conditioning", "version",
      ])
    #expect(info["all_seeds"] == [7])
    #expect(info["infotexts"] == ["text"])
    #expect(info["sd_model_hash"] == "6ce0161689")
    #expect(info["sd_vae_name"] == .null)
    #expect(info["cfg_scale"]?.jsonText == "7.0")
    #expect(
      info["extra_generation_params"]
        == ["Schedule type": "Exponential", "Eta": 0.5, "Precision": "fp32", "Generator": "sdbatch 1"])
  }
}
