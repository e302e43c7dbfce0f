/* terminal.c - see terminal.h. Signals only note that they came; the loop sees it by EINTR. */
#define _GNU_SOURCE
#include "view/terminal.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static bool entered, keys;
static volatile sig_atomic_t ended, resized;

tm__size2 tm__terminal_size(void)
{
  struct winsize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return (tm__size2){size.ws_col, size.ws_row};
  const char *columns = getenv("COLUMNS");
  long wanted = columns ? strtol(columns, NULL, 10) : 0;
  return (tm__size2){wanted >= 20 && wanted <= 500 ? (int)wanted : 80, 0};
}

bool tm__terminal_coloured(void)
{
  const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
  return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

bool tm__terminal_unicode(void)
{
  return setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* ---- Taking over ---------------------------------------------------------------------------- */

static void on_signal(int number)
{
  if (number == SIGWINCH)
    resized = 1;
  else
    ended = number;
}

static void catch_signals(void)
{
  static const int numbers[] = {SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
  struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART: poll is to end */
  (void)sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < TM_ARRAY_LEN(numbers); i++)
    (void)sigaction(numbers[i], &action, NULL);
}

static void write_all(const char *text, size_t length)
{
  while (length > 0) {
    ssize_t n = write(STDOUT_FILENO, text, length);
    if (n < 0 && errno != EINTR)
      return;
    text += n > 0 ? n : 0;
    length -= n > 0 ? (size_t)n : 0;
  }
}

static void say(const char *text)
{
  write_all(text, strlen(text));
}

void tm__terminal_enter(void)
{
  catch_signals();
  keys = tcgetattr(STDIN_FILENO, &before) == 0;
  if (keys) {
    struct termios raw = before;
    raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
  }
  say("\033[?1049h\033[?25l\033[H\033[2J");
  entered = true;
}

void tm__terminal_leave(void)
{
  if (!entered)
    return;
  say("\033[?25h\033[?1049l");
  if (keys)
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
  entered = false;
}

/* ---- Drawing -------------------------------------------------------------------------------- */

/* One write: a frame that comes in pieces flickers. Each line is cleared behind its end. */
void tm__terminal_show(const tm__screen *s, int rows, const char *foot)
{
  static char frame[(TM__ROWS + 2) * (TM__ROW_BYTES + 16)];
  size_t length = (size_t)sprintf(frame, "\033[H");
  for (int i = 0; i < s->count && i < rows - 1; i++) {
    memcpy(frame + length, s->rows[i].bytes, s->rows[i].length);
    length += s->rows[i].length;
    length += (size_t)sprintf(frame + length, "\033[K\r\n");
  }
  int hidden = s->count - (rows - 1);
  length += (size_t)sprintf(frame + length, "\033[J\033[%d;1H", rows);
  char line[256];
  int used = hidden > 0 ? snprintf(line, sizeof line, "%s  (%d more lines)", foot, hidden)
                        : snprintf(line, sizeof line, "%s", foot);
  if (used >= s->width)
    line[s->width - 1] = 0; /* the last column would scroll */
  length += (size_t)snprintf(frame + length, sizeof line + 16,
                             s->coloured ? "\033[2m%s\033[0m" : "%s", line);
  write_all(frame, length);
}

int tm__terminal_key(int timeout_ms)
{
  struct pollfd in = {.fd = keys ? STDIN_FILENO : -1, .events = POLLIN};
  if (!ended && !resized && poll(&in, 1, timeout_ms) < 0 && errno != EINTR)
    return -1;
  if (ended)
    return -1;
  if (resized) {
    resized = 0;
    return TM__KEY_RESIZED;
  }
  char key = 0;
  if (!in.revents)
    return 0;
  return read(STDIN_FILENO, &key, 1) == 1 ? (unsigned char)key : -1;
}
