import Batch
import Diffusion

// The runner does not know the engine, nor the engine the runner: here they meet.
extension Engine: ImageGenerator {}
