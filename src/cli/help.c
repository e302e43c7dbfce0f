/* help.c - what the program says about itself. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tidemark/version.h>

#include "cli/commands.h"
#include "cli/similar.h"

static const char overview[] =
    "tidemark - run a program on a heap that knows its footprint and acts on it\n"
    "\n"
    "Usage: tidemark run [OPTION]... [--] COMMAND [ARGUMENT]...\n"
    "       tidemark groups [NAME]...\n"
    "       tidemark replay FILE [OPTION]...\n"
    "       tidemark report FILE [--html[=PAGE]]\n"
    "       tidemark top|stat|log|doctor [OPTION]... [PID|URL]\n"
    "       tidemark help [COMMAND]\n"
    "       tidemark --version\n"
    "\n"
    "  run      run COMMAND under the heap; a Python program is collected on bytes\n"
    "  groups   show the groups that share a budget, and their members\n"
    "  replay   what another policy would have done to a run that was recorded\n"
    "  report   what a run that was recorded tells, as text or as a page with drawings\n"
    "  top      watch a process that serves: its heaps, live, in the terminal\n"
    "  stat     the same as one line per interval\n"
    "  log      what was decided in it, and why\n"
    "  doctor   what is wrong with it, and what to do\n"
    "  help     this text, or the help of a command\n"
    "\n"
    "Try this: tidemark run --soft 256M --report -- python3 app.py\n";

static const char run_help[] =
    "Usage: tidemark run [OPTION]... [--] COMMAND [ARGUMENT]...\n"
    "\n"
    "Runs COMMAND, unchanged and in this very process, with every allocation counted. In a Python\n"
    "program cycles are then collected when the bytes call for it; in any program free memory "
    "goes\n"
    "back to the system and the limits hold.\n"
    "\n"
    "  --soft SIZE       footprint to stay below, by collecting and by giving memory back\n"
    "  --hard SIZE       footprint that no allocation may exceed: beyond it malloc fails\n"
    "  --limits-from-cgroup\n"
    "                    also take limits from the control group of a container or service, and\n"
    "                    keep to them when they change: 90 % of its maximum is hard; 75 %, or "
    "what\n"
    "                    it calls high, is soft. Of these and the options the tighter one holds\n"
    "  --policy POLICY   when to act besides:\n"
    "                      growth[=PERCENT]  when the footprint grew by PERCENT since the last\n"
    "                                        full collection; growth=100 is the default\n"
    "                      fixed=SIZE        whenever the footprint reaches SIZE\n"
    "                      debt[=SIZE]       when SIZE was allocated since then, adapted; 16M\n"
    "                      sqrt[=SHARE]      by what a collection costs: the square-root rule, or\n"
    "                                        so that collecting takes SHARE percent of the time\n"
    "                      shared            as much as the group of heaps leaves to this one\n"
    "                      off               only the limits act\n"
    "  --group NAME      share a budget with all members of this group: every process that "
    "COMMAND\n"
    "                    forks is one, and so is whatever else is run with the same NAME\n"
    "  --budget SIZE     what the footprints of the group's members should be together\n"
    "  --serve ADDRESS   serve a dashboard, metrics and the log over HTTP while COMMAND runs:\n"
    "                    :9100, 127.0.0.1:9100, [::1]:9100 or unix:/path; port 0 takes a free one\n"
    "  --report[=FILE]   when COMMAND ends, write what was seen to standard error or to FILE;\n"
    "                    a FILE that ends in .json gets JSON\n"
    "  --record FILE     write what the heap saw and did to FILE, for 'tidemark replay'\n"
    "  --profile FILE    sample who allocates, and write the heap profile to FILE at the end: for\n"
    "                    pprof, or as folded stacks if FILE ends in .folded\n"
    "  --profile-interval SIZE\n"
    "                    bytes between two samples on the average; 512K. Without --profile it is\n"
    "                    sampled for --leaks and for what --serve serves\n"
    "  --leaks[=FILE]    when COMMAND ends, tell what is still live: by pool, by tag and, if it "
    "is\n"
    "                    sampled, by who allocated it\n"
    "  --leaks-exit-code N\n"
    "                    then exit with N instead of 0 if more is live than --leaks-allow SIZE\n"
    "  -h, --help        this text\n"
    "\n"
    "SIZE is bytes, or a number with K, M, G or T (512M, 1.5G), or a part (75%) of the tightest\n"
    "memory limit: the machine's or a control group's.\n"
    "\n"
    "COMMAND's exit status is passed on, as a signal that ends it is. Before it runs: 2, the\n"
    "command line is wrong; 125, tidemark failed; 126, COMMAND cannot run; 127, it is not found.\n";

static const char groups_help[] =
    "Usage: tidemark groups [NAME]...\n"
    "\n"
    "Shows the groups that processes made with 'tidemark run --group NAME', or those that are\n"
    "named, with their budgets and living members:\n"
    "\n"
    "  FOOTPRINT   bytes of all blocks in use\n"
    "  LIVE        the same after the last full collection\n"
    "  SHARE       what the member may use above LIVE before it collects\n"
    "  GROWTH      per second, between collections; '-' while it is not known\n"
    "  COLLECTS    live bytes per second of collector time\n"
    "  SEEN        when it told the group last; a process that needs no memory says nothing\n";

static const char replay_help[] =
    "Usage: tidemark replay FILE [OPTION]...\n"
    "\n"
    "Reads what 'tidemark run --record FILE -- COMMAND' wrote and runs the same engine over it "
    "again,\n"
    "with other policies or limits: how often would be collected, how long that would take, and "
    "how\n"
    "high the footprint would rise. Equal arguments give equal answers.\n"
    "\n"
    "  --policy POLICY   replay with POLICY, written as for 'tidemark run'; can be given several\n"
    "                    times. Without it, and without --sweep, as recorded\n"
    "  --sweep           replay with a dozen policies, from little memory to little time\n"
    "  --soft SIZE       with this soft limit instead of the recorded one; 0 is none\n"
    "  --hard SIZE       with this hard limit; 0 is none\n"
    "  --plot FILE       draw time against memory into FILE, as SVG\n"
    "  --json            answer in JSON\n"
    "  -h, --help        this text\n"
    "\n"
    "Exit status: 0; 1, the answer cannot be written; 2, the command line is wrong; 125, FILE "
    "cannot\n"
    "be read, is no recording, or is damaged.\n";

static const char report_help[] =
    "Usage: tidemark report FILE [--html[=PAGE]]\n"
    "\n"
    "Tells what 'tidemark run --record FILE -- COMMAND' saw: peaks, what was allocated, and what "
    "the\n"
    "actions did. As a page it has drawings over time: footprint and committed memory against the\n"
    "limits, the share of the time in actions, the rate of allocation; and the longest actions.\n"
    "\n"
    "  --html[=PAGE]     write an HTML page to standard output or into PAGE; it needs no network, "
    "no\n"
    "                    script and no other file, and is light or dark as the reader's system is\n"
    "  -h, --help        this text\n"
    "\n"
    "Exit status: 0; 1, the answer cannot be written; 2, the command line is wrong; 125, FILE "
    "cannot\n"
    "be read, is no recording, or is damaged, or PAGE cannot be written.\n";

int tm__print(const char *text, tm__complaint *complaint)
{
  if (fputs(text, stdout) != EOF && fflush(stdout) == 0)
    return 0;
  return tm__complain(complaint, TM_EXIT_OUTPUT, "cannot write to standard output: %s",
                      strerror(errno));
}

int tm__write(const char *option, const char *path, const char *text, tm__complaint *complaint)
{
  FILE *out = fopen(path, "we");
  bool written = out && fputs(text, out) != EOF;
  int error = errno;
  if (out && fclose(out) != 0 && written) {
    written = false;
    error = errno;
  }
  if (written)
    return 0;
  return tm__complain(complaint, TM_EXIT_FAILED, "%s: cannot write '%s': %s", option, path,
                      strerror(error));
}

int tm__help_print(const char *command, tm__complaint *complaint)
{
  if (!command || strcmp(command, "help") == 0)
    return tm__print(overview, complaint);
  if (strcmp(command, "run") == 0)
    return tm__print(run_help, complaint);
  if (strcmp(command, "groups") == 0)
    return tm__print(groups_help, complaint);
  if (strcmp(command, "replay") == 0)
    return tm__print(replay_help, complaint);
  if (strcmp(command, "report") == 0)
    return tm__print(report_help, complaint);
  const char *text = tm__help_view(command);
  if (text)
    return tm__print(text, complaint);
  return tm__complain(complaint, TM_EXIT_USAGE,
                      "there is no command '%s'; 'tidemark help' lists them", command);
}

int tm__command_help(char **arguments, tm__complaint *complaint)
{
  if (*arguments && (strcmp(*arguments, "--help") == 0 || strcmp(*arguments, "-h") == 0))
    return tm__help_print(NULL, complaint);
  return tm__help_print(*arguments, complaint);
}

int tm__command_version(char **arguments, tm__complaint *complaint)
{
  (void)arguments;
  return tm__print("tidemark " TM_VERSION_STRING "\n", complaint);
}
