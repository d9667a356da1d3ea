// Fills the tables: portable first, then each supported instruction set on top.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "isa.h"

#define CK_ISA(name) extern const ck_isa ck_isa_##name;
#include "isa_list.h"
#undef CK_ISA

static const ck_isa *const all[] = {
#define CK_ISA(name) &ck_isa_##name,
#include "isa_list.h"
#undef CK_ISA
};
enum { COUNT = sizeof all / sizeof *all };

static ck_table tables[COUNT];  // tables[i] has overlays 0 to i applied
static int available[COUNT];
static const ck_table *chosen;
static int refused;

static void build(void) {
  ck_table table;
  memset(&table, 0, sizeof table);
  for (int i = 0; i < COUNT; i++) {
    available[i] = all[i]->supported();
    if (available[i]) {
      all[i]->overlay(&table);
      table.name = all[i]->name;
      chosen = &tables[i];
    }
    tables[i] = table;
  }
  const char *cap = getenv("SDBATCH_ISA");
  if (cap == NULL || *cap == 0) return;
  refused = 1;
  for (int i = 0; i < COUNT; i++) {
    if (strcmp(cap, all[i]->name) == 0 && available[i]) {
      chosen = &tables[i];
      refused = 0;
    }
  }
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

const ck_table *ck_kernels(void) {
  pthread_once(&once, build);
  return chosen;
}

const ck_table *ck_kernels_named(const char *name) {
  pthread_once(&once, build);
  for (int i = 0; i < COUNT; i++) {
    if (strcmp(name, all[i]->name) == 0 && available[i]) return &tables[i];
  }
  return NULL;
}

const char *ck_isa_name(size_t index) { return index < COUNT ? all[index]->name : NULL; }

int ck_isa_refused(void) {
  pthread_once(&once, build);
  return refused;
}
