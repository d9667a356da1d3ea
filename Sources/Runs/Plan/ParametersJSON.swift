import JSON
import Settings

/// Settings as the files of a run hold them, under the recipe's keys.
enum ParametersJSON {
  /// For the plan: just what `ImageSettings` decodes, with where the models were found.
  static func writeFrozen(_ settings: ImageSettings, to writer: inout JSONWriter) {
    writer.object { writer in
      writer.key("model")
      write(settings.model, to: &writer)
      writer.key("vae")
      if let vae = settings.vae { write(vae, to: &writer) } else { writer.null() }
      if let refiner = settings.refiner {
        writer.key("refiner_checkpoint")
        write(refiner, to: &writer)
        writer.member("refiner_switch_at", settings.refinerSwitchAt)
      }
      if !settings.adapterPlaces.isEmpty {
        writer.key("adapter_places")
        writer.array { writer in
          for place in settings.adapterPlaces { writer.string(place) }
        }
      }
      writeCommon(settings, scheduler: settings.scheduler, precision: settings.precision.rawValue, to: &writer)
      guard let hires = settings.hires else { return }
      writer.key("hires")
      writer.object { writer in
        writeHires(hires, to: &writer)
        if let checkpoint = hires.checkpoint {
          writer.key("hr_checkpoint_name")
          write(checkpoint, to: &writer)
        }
        writer.member("hr_sampler_name", hires.sampler?.rawValue)
        writer.member("hr_scheduler", hires.scheduler?.rawValue)
        writer.member("hr_prompt", hires.prompt)
        writer.member("hr_negative_prompt", hires.negativePrompt)
        if let upscaler = hires.upscaler {
          writer.key("hr_upscaler")
          writer.object { writer in
            writer.member("name", upscaler.name)
            if let path = upscaler.path { writer.member("path", path) }
          }
        }
      }
    }
  }

  /// For the manifest: models by the recipe's names, the schedule and the precision that run.
  static func writeResolved(_ settings: ImageSettings, _ ingredients: JobIngredients, to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("model", settings.model.name)
      writer.member("vae", settings.vae?.name)
      if let refiner = settings.refiner {
        writer.member("refiner_checkpoint", refiner.name)
        writer.member("refiner_switch_at", settings.refinerSwitchAt)
      }
      writeCommon(
        settings, scheduler: settings.namedSchedule, precision: ingredients.precision, to: &writer)
      guard let hires = settings.hires, let second = settings.secondPass else { return }
      writer.member("enable_hr", true)
      writeHires(hires, to: &writer)
      if let checkpoint = hires.checkpoint { writer.member("hr_checkpoint_name", checkpoint.name) }
      writer.member("hr_sampler_name", second.sampler.rawValue)
      writer.member("hr_scheduler", second.namedSchedule.rawValue)
      writer.member("hr_prompt", second.prompt)
      writer.member("hr_negative_prompt", second.negativePrompt)
      writer.member("hr_upscaler", hires.effectiveUpscaler.name)
      writer.member("final_width", settings.finalWidth)
      writer.member("final_height", settings.finalHeight)
    }
  }

  private static func writeHires(_ hires: HiresSettings, to writer: inout JSONWriter) {
    writer.member("denoising_strength", hires.denoisingStrength)
    writer.member("hr_scale", hires.scale)
    writer.member("hr_resize_x", hires.resizeX)
    writer.member("hr_resize_y", hires.resizeY)
    writer.member("hr_second_pass_steps", hires.steps)
    writer.member("hires_fix_refiner_pass", hires.refinerPass.rawValue)
    writer.member("token_merging_ratio_hr", hires.tokenMergingRatio)
  }

  private static func write(_ model: ModelReference, to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("name", model.name)
      writer.member("path", model.path)
    }
  }

  private static func writeCommon(
    _ settings: ImageSettings, scheduler: ScheduleID, precision: String, to writer: inout JSONWriter
  ) {
    writer.member("prompt", settings.prompt)
    writer.member("negative_prompt", settings.negativePrompt)
    writer.member("emphasis", settings.emphasis.rawValue)
    writer.member("use_old_scheduling", .bool(settings.timelines == .old))
    writer.member("seed", settings.seed)
    writer.member("steps", settings.steps)
    writer.member("cfg_scale", settings.cfgScale)
    writer.member("sampler_name", settings.sampler.rawValue)
    writer.member("scheduler", scheduler.rawValue)
    writer.member("width", settings.width)
    writer.member("height", settings.height)
    writer.member("rng", settings.rng.rawValue)
    writer.member("clip_skip", settings.clipSkip)
    writer.member("eta", settings.eta)
    writer.member("s_churn", settings.sChurn)
    writer.member("s_tmin", settings.sTmin)
    writer.member("s_tmax", settings.sTmax)
    writer.member("s_noise", settings.sNoise)
    writer.member("precision", precision)
    writer.member("prediction_type", settings.predictionType.rawValue)
    writer.member("subseed", settings.subseed)
    writer.member("subseed_strength", settings.subseedStrength)
    writer.member("seed_resize_from_w", settings.seedResizeFromW)
    writer.member("seed_resize_from_h", settings.seedResizeFromH)
    writer.member("eta_noise_seed_delta", settings.etaNoiseSeedDelta)
    writer.member("eta_ddim", settings.etaDDIM)
    writer.member("uni_pc_variant", settings.uniPCVariant.rawValue)
    writer.member("uni_pc_skip_type", settings.uniPCSkipType.rawValue)
    writer.member("uni_pc_order", settings.uniPCOrder)
    writer.member("uni_pc_lower_order_final", .bool(settings.uniPCLowerOrderFinal))
    writer.member("always_discard_next_to_last_sigma", .bool(settings.alwaysDiscardNextToLastSigma))
    writer.member("sgm_noise_multiplier", .bool(settings.sgmNoiseMultiplier))
    writer.member("sigma_min", settings.sigmaMin)
    writer.member("sigma_max", settings.sigmaMax)
    writer.member("rho", settings.rho)
    writer.member("beta_dist_alpha", settings.betaDistAlpha)
    writer.member("beta_dist_beta", settings.betaDistBeta)
    writer.member("use_old_karras_scheduler_sigmas", .bool(settings.useOldKarrasSchedulerSigmas))
    writer.member("sd_noise_schedule", settings.sdNoiseSchedule.rawValue)
    writer.member("use_downcasted_alpha_bar", .bool(settings.useDowncastedAlphaBar))
    writer.member("enable_quantization", .bool(settings.enableQuantization))
    writer.member("s_min_uncond", settings.sMinUncond)
    writer.member("s_min_uncond_all", .bool(settings.sMinUncondAll))
    writer.member("skip_early_cond", settings.skipEarlyCond)
    writer.member("tiling", .bool(settings.tiling))
    writer.member("token_merging_ratio", settings.tokenMergingRatio)
    writer.member("feature_cache", settings.featureCache)
    writer.member("memory_limit", .integer(settings.memoryLimit))
    writer.member("weight_packing", settings.weightPacking.rawValue)
  }
}
