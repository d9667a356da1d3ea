#include <ft2build.h>
#include FT_FREETYPE_H

// FreeType's name for it is a macro with a cast, which Swift does not see.
static const FT_Int32 sdbatch_load_and_render = FT_LOAD_RENDER;
