/*
 * pprof.c - a view as pprof's profile.proto, which is a dozen messages of numbers and texts.
 *
 * Every place is a location with one function of its own, so that numbers follow from indices and
 * no table of what was written is needed: pprof joins functions of one name. Names of native
 * functions are what the files' symbols say; pprof knows inlined ones and lines as well when it
 * has the debug information, so has_functions is left out and it looks itself.
 */
#include <string.h>

#include "base/assert.h"
#include "profile/render.h"

/* Numbers of the fields, by message. */
enum {
  PROFILE_SAMPLE_TYPE = 1,
  PROFILE_SAMPLE = 2,
  PROFILE_MAPPING = 3,
  PROFILE_LOCATION = 4,
  PROFILE_FUNCTION = 5,
  PROFILE_STRING = 6,
  PROFILE_TIME = 9,
  PROFILE_PERIOD_TYPE = 11,
  PROFILE_PERIOD = 12,
  PROFILE_COMMENT = 13,
  PROFILE_DEFAULT_TYPE = 14,
  TYPE_TYPE = 1,
  TYPE_UNIT = 2,
  SAMPLE_LOCATION = 1,
  SAMPLE_VALUE = 2,
  SAMPLE_LABEL = 3,
  LABEL_KEY = 1,
  LABEL_TEXT = 2,
  MAPPING_ID = 1,
  MAPPING_BEGIN = 2,
  MAPPING_END = 3,
  MAPPING_OFFSET = 4,
  MAPPING_FILE = 5,
  MAPPING_BUILD_ID = 6,
  LOCATION_ID = 1,
  LOCATION_MAPPING = 2,
  LOCATION_ADDRESS = 3,
  LOCATION_LINE = 4,
  LINE_FUNCTION = 1,
  LINE_LINE = 2,
  FUNCTION_ID = 1,
  FUNCTION_NAME = 2,
  FUNCTION_SYSTEM_NAME = 3,
  FUNCTION_FILE = 4
};

/* The strings that always are there, by their index. Then follow two of each owner, two of each
 * module, two of each place, and the comment. */
static const char *const fixed[] = {"",      "alloc_objects", "count",       "alloc_space",
                                    "bytes", "inuse_objects", "inuse_space", "space",
                                    "heap",  "pool"};
enum {
  STRING_ALLOC_OBJECTS = 1,
  STRING_COUNT,
  STRING_ALLOC_SPACE,
  STRING_BYTES,
  STRING_INUSE_OBJECTS,
  STRING_INUSE_SPACE,
  STRING_SPACE,
  STRING_HEAP,
  STRING_POOL,
  STRING_OWNERS
};

typedef struct writer {
  tm__emit *e;
  const tm__view *view;
  uint64_t owners, modules, places, comment; /* where their strings begin */
} writer;

/* A message inside another one: it is built here, because its length stands before it. The longest
 * is a sample: 64 locations, four values, two labels. */
typedef struct message {
  tm__emit e;
  char bytes[1024];
} message;

/* ---- The wire format ------------------------------------------------------------------------ */

static void emit_varint(tm__emit *e, uint64_t value)
{
  for (; value > 127; value >>= 7)
    tm__emit_char(e, (char)(value | 128));
  tm__emit_char(e, (char)value);
}

static void emit_number(tm__emit *e, unsigned field, uint64_t value)
{
  if (value == 0)
    return; /* the default */
  emit_varint(e, field << 3);
  emit_varint(e, value);
}

static void emit_chunk(tm__emit *e, unsigned field, const char *bytes, size_t count)
{
  emit_varint(e, field << 3 | 2);
  emit_varint(e, count);
  tm__emit_bytes(e, bytes, count);
}

static void begin(message *m)
{
  tm__emit_init(&m->e, m->bytes, sizeof m->bytes);
}

static void end(message *m, tm__emit *outer, unsigned field)
{
  tm_require(m->e.length < sizeof m->bytes);
  emit_chunk(outer, field, m->bytes, m->e.length);
}

/* Of UTF-8 as it should be: a name that is not would make the whole profile unreadable. */
static void emit_string(tm__emit *e, const char *text)
{
  size_t length = strlen(text);
  bool plain = true;
  for (size_t i = 0; i < length; i++)
    plain = plain && (unsigned char)text[i] < 128;
  if (plain) {
    emit_chunk(e, PROFILE_STRING, text, length);
    return;
  }
  char clean[1024];
  tm__emit into;
  tm__emit_init(&into, clean, sizeof clean);
  tm__emit_label_value(&into, text);
  length = tm__emit_end(&into);
  emit_chunk(e, PROFILE_STRING, clean, length < sizeof clean ? length : sizeof clean - 1);
}

/* ---- The messages --------------------------------------------------------------------------- */

static void emit_type(tm__emit *e, unsigned field, uint64_t type, uint64_t unit)
{
  message m;
  begin(&m);
  emit_number(&m.e, TYPE_TYPE, type);
  emit_number(&m.e, TYPE_UNIT, unit);
  end(&m, e, field);
}

static void emit_label(tm__emit *e, uint64_t key, uint64_t text)
{
  message m;
  begin(&m);
  emit_number(&m.e, LABEL_KEY, key);
  emit_number(&m.e, LABEL_TEXT, text);
  end(&m, e, SAMPLE_LABEL);
}

static void emit_sample(const writer *w, const tm__view_row *row)
{
  message m, list;
  const tm__site *site = row->site;
  uint32_t skip = tm__view_skip(w->view, site);
  begin(&m);
  begin(&list);
  for (uint32_t i = skip; i < site->depth; i++)
    emit_varint(&list.e, tm__view_place(w->view, tm__view_frame(site, i)) + 1);
  end(&list, &m.e, SAMPLE_LOCATION);
  begin(&list);
  emit_varint(&list.e, tm__view_round(row->blocks));
  emit_varint(&list.e, tm__view_round(row->bytes));
  emit_varint(&list.e, tm__view_round(row->live_blocks));
  emit_varint(&list.e, tm__view_round(row->live_bytes));
  end(&list, &m.e, SAMPLE_VALUE);
  emit_label(&m.e, STRING_HEAP, w->owners + 2 * (uint64_t)site->owner);
  emit_label(&m.e, STRING_POOL, w->owners + 2 * (uint64_t)site->owner + 1);
  end(&m, w->e, PROFILE_SAMPLE);
}

static uint64_t module_number(const writer *w, const tm__module *module)
{
  return module ? (uint64_t)(module - w->view->modules->list) + 1 : 0;
}

static void emit_mapping(const writer *w, const tm__module *module)
{
  message m;
  uint64_t number = module_number(w, module);
  begin(&m);
  emit_number(&m.e, MAPPING_ID, number);
  emit_number(&m.e, MAPPING_BEGIN, module->begin);
  emit_number(&m.e, MAPPING_END, module->end);
  emit_number(&m.e, MAPPING_OFFSET, module->offset);
  emit_number(&m.e, MAPPING_FILE, w->modules + 2 * (number - 1));
  emit_number(&m.e, MAPPING_BUILD_ID, w->modules + 2 * (number - 1) + 1);
  end(&m, w->e, PROFILE_MAPPING);
}

static void emit_location(const writer *w, uint32_t index)
{
  message m, line;
  const tm__place *place = &w->view->places[index];
  bool hosted = tm__frame_is_hosted(place->frame);
  begin(&m);
  emit_number(&m.e, LOCATION_ID, index + 1);
  if (!hosted) {
    emit_number(&m.e, LOCATION_MAPPING, module_number(w, place->module));
    emit_number(&m.e, LOCATION_ADDRESS, place->frame - 1); /* of the call, not behind it */
  }
  if (place->name) {
    begin(&line);
    emit_number(&line.e, LINE_FUNCTION, index + 1);
    emit_number(&line.e, LINE_LINE, hosted ? tm__frame_line(place->frame) : 0);
    end(&line, &m.e, LOCATION_LINE);
  }
  end(&m, w->e, PROFILE_LOCATION);
}

static void emit_function(const writer *w, uint32_t index)
{
  message m;
  const tm__place *place = &w->view->places[index];
  uint64_t name = w->places + 2 * (uint64_t)index;
  if (!place->name)
    return;
  begin(&m);
  emit_number(&m.e, FUNCTION_ID, index + 1);
  emit_number(&m.e, FUNCTION_NAME, name);
  emit_number(&m.e, FUNCTION_SYSTEM_NAME, name);
  emit_number(&m.e, FUNCTION_FILE, name + 1);
  end(&m, w->e, PROFILE_FUNCTION);
}

/* pprof takes angle brackets for a template's arguments and drops them: Python's "<module>" becomes
 * "[module]". */
static void emit_name(tm__emit *e, const tm__place *place)
{
  char text[256];
  if (!place->name || !place->file || *place->name != '<') {
    emit_string(e, place->name ? place->name : "");
    return;
  }
  (void)tm__format(text, sizeof text, "%s", place->name);
  for (char *at = text; *at; at++)
    *at = *at == '<' ? '[' : *at == '>' ? ']' : *at;
  emit_string(e, text);
}

static void emit_strings(const writer *w)
{
  const tm__view *view = w->view;
  char comment[256];
  for (size_t i = 0; i < TM_ARRAY_LEN(fixed); i++)
    emit_string(w->e, fixed[i]);
  for (uint32_t i = 0; i < view->owner_count; i++) {
    emit_string(w->e, tm__tables.rooms->owners[i].heap);
    emit_string(w->e, tm__tables.rooms->owners[i].pool);
  }
  for (size_t i = 0; i < view->modules->count; i++) {
    emit_string(w->e, view->modules->list[i].path);
    emit_string(w->e, view->modules->list[i].build_id);
  }
  for (uint32_t i = 0; i < view->place_count; i++) {
    emit_name(w->e, &view->places[i]);
    emit_string(w->e, view->places[i].file ? view->places[i].file : "");
  }
  (void)tm__format(
      comment, sizeof comment,
      "tidemark: %lu samples, %lu of them live; %lu found no room; %lu stacks were cut",
      view->taken, view->live, view->dropped, view->cut);
  emit_string(w->e, comment);
}

void tm__pprof_emit(tm__emit *e, const tm__view *view, uint64_t time_ns)
{
  writer w = {.e = e, .view = view, .owners = STRING_OWNERS};
  _Static_assert(TM_ARRAY_LEN(fixed) == STRING_OWNERS, "each has its number");
  w.modules = w.owners + 2 * (uint64_t)view->owner_count;
  w.places = w.modules + 2 * view->modules->count;
  w.comment = w.places + 2 * (uint64_t)view->place_count;
  emit_type(e, PROFILE_SAMPLE_TYPE, STRING_ALLOC_OBJECTS, STRING_COUNT);
  emit_type(e, PROFILE_SAMPLE_TYPE, STRING_ALLOC_SPACE, STRING_BYTES);
  emit_type(e, PROFILE_SAMPLE_TYPE, STRING_INUSE_OBJECTS, STRING_COUNT);
  emit_type(e, PROFILE_SAMPLE_TYPE, STRING_INUSE_SPACE, STRING_BYTES);
  for (uint32_t i = 0; i < view->row_count; i++)
    emit_sample(&w, &view->rows[i]);
  for (size_t i = 0; i < view->modules->count; i++)
    emit_mapping(&w, &view->modules->list[i]);
  for (uint32_t i = 0; i < view->place_count; i++)
    emit_location(&w, i);
  for (uint32_t i = 0; i < view->place_count; i++)
    emit_function(&w, i);
  emit_strings(&w);
  emit_number(e, PROFILE_TIME, time_ns);
  emit_type(e, PROFILE_PERIOD_TYPE, STRING_SPACE, STRING_BYTES);
  emit_number(e, PROFILE_PERIOD, view->mean_bytes);
  emit_number(e, PROFILE_COMMENT, w.comment);
  emit_number(e, PROFILE_DEFAULT_TYPE, STRING_INUSE_SPACE);
}
