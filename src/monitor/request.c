/* request.c - llhttp with limits. Its callbacks see spans of whatever size the network gave. */
#define _GNU_SOURCE
#include "monitor/request.h"

#include <string.h>

/* ---- Bounded text --------------------------------------------------------------------------- */

static void text_init(tm__text *text, char *bytes, size_t capacity)
{
  *text = (tm__text){.bytes = bytes, .capacity = capacity};
  bytes[0] = 0;
}

static void text_append(tm__text *text, const char *bytes, size_t count)
{
  size_t room = text->capacity - 1 - text->length;
  if (count > room) {
    text->cut = true;
    count = room;
  }
  memcpy(text->bytes + text->length, bytes, count);
  text->length += count;
  text->bytes[text->length] = 0;
}

/* ---- llhttp's callbacks --------------------------------------------------------------------- */

/* Ends the parsing with the status that answers it. */
static int refuse(tm__request *request, int status)
{
  request->status = status;
  return HPE_USER;
}

static int on_url(llhttp_t *parser, const char *bytes, size_t count)
{
  tm__request *request = parser->data;
  request->line_bytes += count;
  text_append(&request->target, bytes, count);
  /* "METHOD target HTTP/1.1" */
  size_t method = strlen(llhttp_method_name((llhttp_method_t)parser->method));
  size_t line = method + 1 + request->line_bytes + strlen(" HTTP/1.1");
  return line > TM__LINE_MAX ? refuse(request, 414) : 0;
}

static int count_header_bytes(tm__request *request, size_t count)
{
  request->header_bytes += count;
  return request->header_bytes > TM__HEADERS_MAX ? refuse(request, 431) : 0;
}

static int on_header_field(llhttp_t *parser, const char *bytes, size_t count)
{
  tm__request *request = parser->data;
  for (size_t i = 0; i < count; i++, request->name_length++)
    if (request->name_length < sizeof request->name)
      request->name[request->name_length] = (char)(bytes[i] | 0x20);
  return count_header_bytes(request, count);
}

static tm__header header_named(const char *name, size_t length)
{
  static const struct {
    const char *name;
    tm__header header;
  } headers[] = {
#define HEADER_ROW(enumerator, name, text, bytes, twice) {name, enumerator},
      TM__HEADERS(HEADER_ROW)};
#undef HEADER_ROW
  for (size_t i = 0; i < TM_ARRAY_LEN(headers); i++)
    if (length == strlen(headers[i].name) && memcmp(name, headers[i].name, length) == 0)
      return headers[i].header;
  return TM__HEADER_OTHER;
}

static tm__text *header_text(tm__request *request)
{
  switch (request->header) {
#define HEADER_CASE(enumerator, name, text, bytes, twice)                                          \
  case enumerator:                                                                                 \
    return &request->text;
    TM__HEADERS(HEADER_CASE)
#undef HEADER_CASE
  case TM__HEADER_OTHER:
    break;
  }
  return NULL;
}

static bool may_come_twice(tm__header header)
{
  static const bool twice_of[] = {
#define HEADER_TWICE(enumerator, name, text, bytes, twice) [enumerator] = (twice),
      TM__HEADERS(HEADER_TWICE)};
#undef HEADER_TWICE
  return header < TM_ARRAY_LEN(twice_of) && twice_of[header];
}

static int on_header_field_complete(llhttp_t *parser)
{
  tm__request *request = parser->data;
  if (request->name_length == 0) /* llhttp lets it pass */
    return refuse(request, 400);
  request->header = header_named(request->name, request->name_length);
  request->name_length = 0;
  if (++request->header_count > TM__HEADER_COUNT_MAX)
    return refuse(request, 431);
  tm__text *text = header_text(request);
  if (!text)
    return 0;
  text->seen++;
  if (text->seen == 1)
    return 0;
  /* two hosts or origins: one of them was meant for somebody else */
  if (!may_come_twice(request->header))
    return refuse(request, 400);
  text_append(text, ",", 1);
  return 0;
}

static int on_header_value(llhttp_t *parser, const char *bytes, size_t count)
{
  tm__request *request = parser->data;
  tm__text *text = header_text(request);
  if (text)
    text_append(text, bytes, count);
  return count_header_bytes(request, count);
}

static int on_header_value_complete(llhttp_t *parser)
{
  return count_header_bytes(parser->data, strlen(": \r\n"));
}

/* Stops here: what follows a request's headers is never looked at. */
static int on_headers_complete(llhttp_t *parser)
{
  tm__request *request = parser->data;
  request->complete = true;
  request->has_body = (parser->flags & (F_CHUNKED | F_TRANSFER_ENCODING)) ||
                      ((parser->flags & F_CONTENT_LENGTH) && parser->content_length > 0);
  return HPE_PAUSED;
}

/* ---- The request ---------------------------------------------------------------------------- */

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value_complete = on_header_value_complete,
};

void tm__request_init(tm__request *request)
{
  memset(request, 0, offsetof(tm__request, target_bytes));
  text_init(&request->target, request->target_bytes, sizeof request->target_bytes);
#define HEADER_INIT(enumerator, name, text, bytes, twice)                                          \
  text_init(&request->text, request->text##_bytes, bytes);
  TM__HEADERS(HEADER_INIT)
#undef HEADER_INIT
  llhttp_init(&request->parser, HTTP_REQUEST, &settings);
  request->parser.data = request;
}

static int status_of(llhttp_errno_t error)
{
  return error == HPE_INVALID_VERSION || error == HPE_PAUSED_H2_UPGRADE ? 505 : 400;
}

bool tm__request_feed(tm__request *request, const char *bytes, size_t count)
{
  llhttp_errno_t error = llhttp_execute(&request->parser, bytes, count);
  request->raw_bytes += count;
  if (request->status || request->complete)
    return true;
  if (error != HPE_OK) {
    request->status = status_of(error);
    return true;
  }
  /* a line without end is a line; blanks without end are headers */
  if (request->header_count == 0 && request->raw_bytes > 2 * TM__LINE_MAX)
    request->status = 414;
  else if (request->raw_bytes > TM__HEAD_RAW_MAX)
    request->status = 431;
  return request->status != 0;
}

void tm__request_end(tm__request *request)
{
  if (!request->complete && !request->status)
    request->status = 400;
}

bool tm__request_is(const tm__request *request, llhttp_method_t method)
{
  return request->complete && request->parser.method == method;
}
