import JSON
import Settings

/// Settings as the files of a run hold them, under the recipe's keys.
enum ParametersJSON {
  /// For the plan: just what `JobParameters` decodes, with where the models were found.
  static func writeFrozen(_ parameters: JobParameters, to writer: inout JSONWriter) {
    writer.object { writer in
      writer.key("model")
      write(parameters.model, to: &writer)
      writer.key("vae")
      if let vae = parameters.vae { write(vae, to: &writer) } else { writer.null() }
      if let refiner = parameters.refiner {
        writer.key("refiner_checkpoint")
        write(refiner, to: &writer)
        writer.member("refiner_switch_at", parameters.refinerSwitchAt)
      }
      if !parameters.adapterPlaces.isEmpty {
        writer.key("adapter_places")
        writer.array { writer in
          for place in parameters.adapterPlaces { writer.string(place) }
        }
      }
      writeCommon(parameters, scheduler: parameters.scheduler, precision: parameters.precision.rawValue, to: &writer)
      guard let hires = parameters.hires else { return }
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
  static func writeResolved(_ parameters: JobParameters, _ ingredients: JobIngredients, to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("model", parameters.model.name)
      writer.member("vae", parameters.vae?.name)
      if let refiner = parameters.refiner {
        writer.member("refiner_checkpoint", refiner.name)
        writer.member("refiner_switch_at", parameters.refinerSwitchAt)
      }
      writeCommon(
        parameters, scheduler: parameters.namedSchedule, precision: ingredients.precision, to: &writer)
      guard let hires = parameters.hires, let second = parameters.secondPass else { return }
      writer.member("enable_hr", true)
      writeHires(hires, to: &writer)
      if let checkpoint = hires.checkpoint { writer.member("hr_checkpoint_name", checkpoint.name) }
      writer.member("hr_sampler_name", second.sampler.rawValue)
      writer.member("hr_scheduler", second.namedSchedule.rawValue)
      writer.member("hr_prompt", second.prompt)
      writer.member("hr_negative_prompt", second.negativePrompt)
      writer.member("hr_upscaler", hires.effectiveUpscaler.name)
      writer.member("final_width", parameters.finalWidth)
      writer.member("final_height", parameters.finalHeight)
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
    _ parameters: JobParameters, scheduler: ScheduleID, precision: String, to writer: inout JSONWriter
  ) {
    writer.member("prompt", parameters.prompt)
    writer.member("negative_prompt", parameters.negativePrompt)
    writer.member("emphasis", parameters.emphasis.rawValue)
    writer.member("use_old_scheduling", .bool(parameters.timelines == .old))
    writer.member("seed", parameters.seed)
    writer.member("steps", parameters.steps)
    writer.member("cfg_scale", parameters.cfgScale)
    writer.member("sampler_name", parameters.sampler.rawValue)
    writer.member("scheduler", scheduler.rawValue)
    writer.member("width", parameters.width)
    writer.member("height", parameters.height)
    writer.member("rng", parameters.rng.rawValue)
    writer.member("clip_skip", parameters.clipSkip)
    writer.member("eta", parameters.eta)
    writer.member("s_churn", parameters.sChurn)
    writer.member("s_tmin", parameters.sTmin)
    writer.member("s_tmax", parameters.sTmax)
    writer.member("s_noise", parameters.sNoise)
    writer.member("precision", precision)
    writer.member("prediction_type", parameters.predictionType.rawValue)
    writer.member("subseed", parameters.subseed)
    writer.member("subseed_strength", parameters.subseedStrength)
    writer.member("seed_resize_from_w", parameters.seedResizeFromW)
    writer.member("seed_resize_from_h", parameters.seedResizeFromH)
    writer.member("eta_noise_seed_delta", parameters.etaNoiseSeedDelta)
    writer.member("eta_ddim", parameters.etaDDIM)
    writer.member("uni_pc_variant", parameters.uniPCVariant.rawValue)
    writer.member("uni_pc_skip_type", parameters.uniPCSkipType.rawValue)
    writer.member("uni_pc_order", parameters.uniPCOrder)
    writer.member("uni_pc_lower_order_final", .bool(parameters.uniPCLowerOrderFinal))
    writer.member("always_discard_next_to_last_sigma", .bool(parameters.alwaysDiscardNextToLastSigma))
    writer.member("sgm_noise_multiplier", .bool(parameters.sgmNoiseMultiplier))
    writer.member("sigma_min", parameters.sigmaMin)
    writer.member("sigma_max", parameters.sigmaMax)
    writer.member("rho", parameters.rho)
    writer.member("beta_dist_alpha", parameters.betaDistAlpha)
    writer.member("beta_dist_beta", parameters.betaDistBeta)
    writer.member("use_old_karras_scheduler_sigmas", .bool(parameters.useOldKarrasSchedulerSigmas))
    writer.member("sd_noise_schedule", parameters.sdNoiseSchedule.rawValue)
    writer.member("use_downcasted_alpha_bar", .bool(parameters.useDowncastedAlphaBar))
    writer.member("enable_quantization", .bool(parameters.enableQuantization))
    writer.member("s_min_uncond", parameters.sMinUncond)
    writer.member("s_min_uncond_all", .bool(parameters.sMinUncondAll))
    writer.member("skip_early_cond", parameters.skipEarlyCond)
    writer.member("tiling", .bool(parameters.tiling))
    writer.member("token_merging_ratio", parameters.tokenMergingRatio)
    writer.member("feature_cache", parameters.featureCache)
    writer.member("memory_limit", .integer(parameters.memoryLimit))
    writer.member("weight_packing", parameters.weightPacking.rawValue)
  }
}
