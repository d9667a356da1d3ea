#include <ft2build.h>
#include FT_FREETYPE_H
#include <hb.h>
#include <hb-ft.h>
#include <fribidi/fribidi.h>

// FreeType defines these as macros with a cast, which Swift cannot import.
static const FT_Int32 sdbatch_load_and_render = FT_LOAD_RENDER;
static const int sdbatch_load_default = FT_LOAD_DEFAULT;
static const FT_Int32 sdbatch_load_coloured = FT_LOAD_RENDER | FT_LOAD_COLOR;
