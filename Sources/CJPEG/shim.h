// libjpeg reports errors by longjmp, which Swift does not allow, so encoding and decoding are written in C.
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jpeglib.h>
#include <jerror.h>

/// libjpeg's error handler, and where to jump after an error.
struct sdbatch_jpeg_errors {
  struct jpeg_error_mgr manager;
  jmp_buf place;
  char message[JMSG_LENGTH_MAX];
  /// Whether the data were damaged.
  int is_damaged;
};

static inline void sdbatch_jpeg_exit(j_common_ptr control) {
  struct sdbatch_jpeg_errors *errors = (struct sdbatch_jpeg_errors *)control->err;
  control->err->format_message(control, errors->message);
  longjmp(errors->place, 1);
}

/// Records a warning as damage, because libjpeg replaces what it cannot read by grey pixels. Extra bytes between two markers
/// are harmless.
static inline void sdbatch_jpeg_note(j_common_ptr control, int level) {
  struct sdbatch_jpeg_errors *errors = (struct sdbatch_jpeg_errors *)control->err;
  if (level >= 0 || control->err->msg_code == JWRN_EXTRANEOUS_DATA) return;
  if (!errors->is_damaged) control->err->format_message(control, errors->message);
  errors->is_damaged = 1;
}

static inline void sdbatch_jpeg_be_quiet(j_common_ptr control) { (void)control; }

static inline struct jpeg_error_mgr *sdbatch_jpeg_prepare(struct sdbatch_jpeg_errors *errors) {
  jpeg_std_error(&errors->manager);
  errors->manager.error_exit = sdbatch_jpeg_exit;
  errors->manager.emit_message = sdbatch_jpeg_note;
  errors->manager.output_message = sdbatch_jpeg_be_quiet;
  errors->message[0] = 0;
  errors->is_damaged = 0;
  return &errors->manager;
}

/// Encodes RGB pixels, with colours at half the resolution, as Pillow does. The caller frees `output`, also after an error.
///
/// Returns 1 on success; otherwise 0, and `message` (200 bytes) has the reason.
static inline int sdbatch_jpeg_encode(
    const uint8_t *pixels, int width, int height, int quality, unsigned char **output, unsigned long *size,
    char *message) {
  struct jpeg_compress_struct control;
  struct sdbatch_jpeg_errors errors;
  control.err = sdbatch_jpeg_prepare(&errors);
  jpeg_create_compress(&control);
  if (setjmp(errors.place)) {
    jpeg_destroy_compress(&control);
    memcpy(message, errors.message, sizeof errors.message);
    // libjpeg may have freed it already.
    *output = NULL;
    return 0;
  }
  jpeg_mem_dest(&control, output, size);
  control.image_width = (JDIMENSION)width;
  control.image_height = (JDIMENSION)height;
  control.input_components = 3;
  control.in_color_space = JCS_RGB;
  jpeg_set_defaults(&control);
  jpeg_set_quality(&control, quality, TRUE);
  jpeg_start_compress(&control, TRUE);
  while (control.next_scanline < control.image_height) {
    JSAMPROW row = (JSAMPROW)(pixels + (size_t)control.next_scanline * (size_t)width * 3);
    jpeg_write_scanlines(&control, &row, 1);
  }
  jpeg_finish_compress(&control);
  jpeg_destroy_compress(&control);
  return 1;
}

/// Reads the size of a picture, or decodes a picture of that size to RGB if `pixels` is not NULL; 1, 2, 4 or 8 times smaller.
///
/// Returns 1 if it worked and the image is complete; otherwise 0, and `message` (200 bytes) has the reason.
static inline int sdbatch_jpeg_read(
    const uint8_t *bytes, unsigned long count, unsigned int divisor, uint8_t *pixels, int *width, int *height,
    char *message) {
  struct jpeg_decompress_struct control;
  struct sdbatch_jpeg_errors errors;
  control.err = sdbatch_jpeg_prepare(&errors);
  jpeg_create_decompress(&control);
  if (setjmp(errors.place)) {
    jpeg_destroy_decompress(&control);
    memcpy(message, errors.message, sizeof errors.message);
    return 0;
  }
  jpeg_mem_src(&control, bytes, count);
  jpeg_read_header(&control, TRUE);
  control.scale_num = 1;
  control.scale_denom = divisor;
  if (pixels == NULL) {
    jpeg_calc_output_dimensions(&control);
    *width = (int)control.output_width;
    *height = (int)control.output_height;
    jpeg_destroy_decompress(&control);
    return 1;
  }
  control.out_color_space = JCS_RGB;
  jpeg_start_decompress(&control);
  if ((int)control.output_width != *width || (int)control.output_height != *height || control.output_components != 3) {
    jpeg_destroy_decompress(&control);
    strcpy(message, "its size is not that of its header");
    return 0;
  }
  while (control.output_scanline < control.output_height) {
    JSAMPROW row = pixels + (size_t)control.output_scanline * (size_t)*width * 3;
    jpeg_read_scanlines(&control, &row, 1);
  }
  jpeg_finish_decompress(&control);
  jpeg_destroy_decompress(&control);
  memcpy(message, errors.message, sizeof errors.message);
  return !errors.is_damaged;
}
