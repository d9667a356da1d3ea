import JSON
import Settings

/// What plan and manifest both say about a job.
extension JSONWriter {
  mutating func axes(_ axes: [AxisPosition]) {
    array { writer in
      for axis in axes {
        writer.object { writer in
          writer.member("name", axis.name)
          writer.member("value", axis.value)
          writer.member("title", axis.title)
        }
      }
    }
  }

  mutating func model(_ model: ModelIdentity) {
    object { writer in
      writer.member("name", model.name)
      writer.member("path", model.path)
      writer.member("sha256", model.sha256)
      writer.member("family", model.family)
      if let variant = model.variant { writer.member("variant", variant) }
    }
  }

  private mutating func lora(_ lora: LoRAIdentity) {
    object { writer in
      writer.member("name", lora.name)
      writer.member("path", lora.path)
      writer.member("sha256", lora.sha256)
      writer.member("shortHash", lora.shortHash)
      writer.member("textMultiplier", lora.textMultiplier)
      writer.member("unetMultiplier", lora.unetMultiplier)
      writer.member("rankLimit", lora.rankLimit)
    }
  }

  private mutating func embedding(_ embedding: EmbeddingIdentity) {
    object { writer in
      writer.member("name", embedding.name)
      writer.member("path", embedding.path)
      writer.member("sha256", embedding.sha256)
      if let bundle = embedding.bundle { writer.member("bundle", bundle) }
    }
  }

  mutating func ingredients(_ ingredients: JobIngredients) {
    object { writer in
      writer.key("model")
      writer.model(ingredients.model)
      writer.key("vae")
      if let vae = ingredients.vae { writer.model(vae) } else { writer.null() }
      for (key, model) in [
        ("textEncoder", ingredients.textEncoder), ("refiner", ingredients.refiner),
        ("hiresModel", ingredients.hiresModel),
      ] {
        guard let model else { continue }
        writer.key(key)
        writer.model(model)
      }
      for (key, models) in [("textEncoders", ingredients.textEncoders), ("otherVAEs", ingredients.otherVAEs)] {
        guard let models else { continue }
        writer.key(key)
        writer.array { writer in for model in models { writer.model(model) } }
      }
      for (key, loras) in [("loras", ingredients.loras), ("hiresLoRAs", ingredients.hiresLoRAs)] {
        guard let loras else { continue }
        writer.key(key)
        writer.array { writer in
          for lora in loras { writer.lora(lora) }
        }
      }
      if let upscaler = ingredients.upscaler {
        writer.key("upscaler")
        writer.model(upscaler)
      }
      if let faces = ingredients.faces {
        writer.key("faces")
        writer.array { writer in
          for network in faces { writer.model(network) }
        }
      }
      if !ingredients.embeddings.isEmpty {
        writer.key("embeddings")
        writer.array { writer in
          for embedding in ingredients.embeddings { writer.embedding(embedding) }
        }
      }
      if let repair = ingredients.textRepair { writer.member("textRepair", repair) }
      writer.member("vocabularySHA256", ingredients.vocabularySHA256)
      writer.member("precision", ingredients.precision)
      writer.member("isa", ingredients.isa)
      writer.member("numerics", ingredients.numerics)
      if let packing = ingredients.weightPacking { writer.member("weightPacking", packing) }
      if let upsampling = ingredients.upsampling { writer.member("upsampling", upsampling) }
    }
  }

  mutating func engine(_ engine: EngineDescription) {
    object { writer in
      writer.member("version", engine.version)
      writer.member("numerics", engine.numerics)
      writer.member("isa", engine.isa)
      writer.member("precision", engine.precision)
      writer.member("threads", engine.threads)
    }
  }
}
