#include <stddef.h>
#include <stdint.h>
#include <webp/decode.h>
#include <webp/encode.h>

/// Encodes RGB pixels with the parameters that Pillow uses. The caller passes `output` to `WebPFree`.
///
/// Returns 0 on success, otherwise libwebp's error code.
static inline int sdbatch_webp_encode(
    const uint8_t *pixels, int width, int height, float quality, int is_lossless, uint8_t **output, size_t *size) {
  WebPConfig config;
  WebPPicture picture;
  WebPMemoryWriter writer;
  *output = NULL;
  *size = 0;
  if (!WebPConfigInit(&config) || !WebPPictureInit(&picture)) return VP8_ENC_ERROR_INVALID_CONFIGURATION;
  config.lossless = is_lossless;
  config.quality = quality;
  config.alpha_quality = 100;
  config.method = 4;
  if (!WebPValidateConfig(&config)) return VP8_ENC_ERROR_INVALID_CONFIGURATION;
  picture.width = width;
  picture.height = height;
  picture.use_argb = 1;
  WebPMemoryWriterInit(&writer);
  picture.writer = WebPMemoryWrite;
  picture.custom_ptr = &writer;
  if (!WebPPictureImportRGB(&picture, pixels, 3 * width)) {
    WebPPictureFree(&picture);
    return VP8_ENC_ERROR_OUT_OF_MEMORY;
  }
  int is_done = WebPEncode(&config, &picture);
  int error = is_done ? 0 : (int)picture.error_code;
  WebPPictureFree(&picture);
  if (!is_done) {
    WebPMemoryWriterClear(&writer);
    return error;
  }
  *output = writer.mem;
  *size = writer.size;
  return 0;
}
