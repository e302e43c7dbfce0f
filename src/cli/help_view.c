/* help_view.c - the help of the commands that look at a running process. */
#include <string.h>

#include "cli/commands.h"

#define TARGET                                                                                     \
  "TARGET is the number of a process that serves ('tidemark run --serve', or a program with a\n"   \
  "monitor of its own), or its address: http://127.0.0.1:9464/, :9464, unix:/path. Without it, "   \
  "the\n"                                                                                          \
  "one process of yours that serves.\n"

static const char top[] =
    "Usage: tidemark top [OPTION]... [TARGET]\n"
    "\n"
    "Shows the heaps of a running process: the footprint against its limits, where the bytes are,\n"
    "what was done about them, what the doctor finds. Keys: q quits, space pauses.\n"
    "\n"
    "  --interval SECONDS  look that often, 0.1 to 86400; 1 is the default\n"
    "  --once              show one look and end; rates are those since the process started\n"
    "  --json              one JSON object a look, for scripts\n"
    "  -h, --help          this text\n"
    "\n" TARGET "\n"
    "Without a terminal it writes one look after the other. NO_COLOR switches colours off.\n"
    "Exit status: 0; 1, the output cannot be written; 2, the command line is wrong; 125, the\n"
    "process cannot be found or does not answer.\n";

static const char stat_text[] =
    "Usage: tidemark stat [OPTION]... [TARGET [INTERVAL [COUNT]]]\n"
    "\n"
    "Writes one line every INTERVAL seconds (1), COUNT of them or until the process ends, as "
    "vmstat\n"
    "does: all heaps together. The first line has the means since the process started.\n"
    "\n"
    "  FOOTPRINT .. COMMITTED  levels of the heaps; RESIDENT, memory of the process\n"
    "  ALLOC/s, FREE/s         bytes per second\n"
    "  RECLAIMED, RUNS, TIME%  what actions freed, how often they ran, their share of the time\n"
    "  FAILED                  requests that failed\n"
    "  LIMIT%                  footprint of the soft limit, or of the hard one; '-' without\n"
    "\n"
    "  --json              one JSON object a line, bytes and nanoseconds; totals of the interval\n"
    "  -h, --help          this text\n"
    "\n" TARGET "\n"
    "Exit status: 0; 1, the output cannot be written; 2, the command line is wrong; 125, the\n"
    "process cannot be found or does not answer.\n";

static const char log_text[] =
    "Usage: tidemark log [OPTION]... [TARGET]\n"
    "\n"
    "Writes what the policies decided, oldest first: which action, why, what it freed and how "
    "long\n"
    "it took, or why it was held back. The process keeps the last 256 of each heap.\n"
    "\n"
    "  --follow            go on with what is decided from now on, until the process ends\n"
    "  --json              each decision as one line of JSON\n"
    "  -h, --help          this text\n"
    "\n" TARGET "\n"
    "Exit status: 0; 1, the output cannot be written; 2, the command line is wrong; 125, the\n"
    "process cannot be found or does not answer.\n";

static const char doctor_text[] =
    "Usage: tidemark doctor [OPTION]... [TARGET]\n"
    "\n"
    "Says what is wrong with the heaps of a running process, what it means, and what to do.\n"
    "\n"
    "  --json              {\"findings\": [{\"id\", \"level\", \"heap\", \"what\", \"do\"}, ...]}\n"
    "  -h, --help          this text\n"
    "\n" TARGET "\n"
    "Exit status: 0, nothing is wrong; 1, there are findings; 2, the command line is wrong; 125, "
    "the\n"
    "process cannot be found or does not answer, or the output cannot be written.\n";

const char *tm__help_view(const char *command)
{
  static const struct {
    const char *name, *text;
  } texts[] = {{"top", top}, {"stat", stat_text}, {"log", log_text}, {"doctor", doctor_text}};
  for (size_t i = 0; i < TM_ARRAY_LEN(texts); i++)
    if (strcmp(command, texts[i].name) == 0)
      return texts[i].text;
  return NULL;
}
