/* test_steps.c - walks by notes say what the unwinder says, or nothing. */
#define _GNU_SOURCE
#include "profile/steps.h"

#include <alloca.h>
#include <execinfo.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "profile/stack.h"
#include "support/check.h"
#include "support/threads.h"

enum { SOME = 200 };

/* ---- Made-up stacks ------------------------------------------------------------------------- */

enum { IP = 0x10000 }; /* made-up addresses of code: IP + a number; never one of ours */

#if defined(__x86_64__)

static uintptr_t words[256];

static tm__step_frame frame_at(int word, uintptr_t ip)
{
  words[word - 1] = ip; /* the return address is the word below the caller's frame */
  return (tm__step_frame){.ip = ip, .sp = (uintptr_t)&words[word]};
}

/* Frames at these words, the code in them numbered from `code` on. */
static void note_all(const int *at, int count, uintptr_t code)
{
  tm__steps steps = {0};
  for (int i = 0; i < count; i++)
    tm__steps_note(&steps, frame_at(at[i], code + (uintptr_t)i), false);
  tm__steps_end(&steps, (uintptr_t)&words[at[0]], true);
}

static size_t walk_from(int word, uintptr_t ip, uintptr_t *found)
{
  return tm__steps_walk((tm__step_frame){.ip = ip, .sp = (uintptr_t)&words[word]}, found, SOME);
}

static void what_was_noted_is_walked(void **state)
{
  const int at[] = {3, 10, 11, 60};
  uintptr_t found[SOME];
  (void)state;
  assert_false(tm__steps_rooted());
  assert_int_equal(walk_from(3, IP, found), 0); /* nothing is known */
  note_all(at, 4, IP);
  assert_true(tm__steps_rooted());
  assert_int_equal(walk_from(3, IP, found), 4);
  for (uintptr_t i = 0; i < 4; i++)
    assert_int_equal(found[i], IP + i);
  assert_int_equal(walk_from(10, IP + 1, found), 3); /* from the middle */
  assert_int_equal(walk_from(2, IP, found), 0);      /* below all that was seen */
  assert_int_equal(walk_from(3, IP + 90, found), 0); /* code that was not */
  words[59] = IP + 1;                                /* the outermost is another */
  assert_int_equal(walk_from(3, IP, found), 0);
  words[9] = IP; /* steps beyond the outermost */
  words[16] = words[23] = words[30] = words[37] = words[44] = words[51] = words[58] = IP;
  assert_int_equal(walk_from(3, IP, found), 0);
}

static void anothers_end_is_no_end(void **state)
{
  const int at[] = {5, 9, 20};
  uintptr_t found[SOME];
  tm__steps steps = {0};
  (void)state;
  for (int i = 0; i < 3; i++)
    tm__steps_note(&steps, frame_at(at[i], IP + 50 + (uintptr_t)i), false);
  tm__steps_end(&steps, (uintptr_t)&words[5], false);
  assert_int_equal(walk_from(5, IP + 50, found), 0);
}

static void more_frames_than_room_are_counted(void **state)
{
  const int at[] = {5, 9, 20, 33, 34};
  uintptr_t found[2] = {0};
  (void)state;
  note_all(at, 5, IP + 100);
  tm__step_frame inner = {.ip = IP + 100, .sp = (uintptr_t)&words[5]};
  assert_int_equal(tm__steps_walk(inner, found, 1), 5);
  assert_int_equal(found[0], IP + 100);
  assert_int_equal(found[1], 0);
}

static void a_step_that_varies_is_crossed_out(void **state)
{
  const int once[] = {5, 9, 40}, then[] = {5, 12, 40};
  uintptr_t found[SOME];
  (void)state;
  note_all(once, 3, IP + 200);
  assert_int_equal(walk_from(5, IP + 200, found), 3);
  note_all(then, 3, IP + 200);
  assert_int_equal(walk_from(5, IP + 200, found), 0);
  note_all(once, 3, IP + 200); /* for ever */
  assert_int_equal(walk_from(5, IP + 200, found), 0);
}

static void leaps_are_not_learned(void **state)
{
  uintptr_t found[SOME];
  (void)state;
  for (int kind = 0; kind < 3; kind++) {
    uintptr_t code = IP + 300 + (uintptr_t)kind * 10;
    tm__steps steps = {0};
    tm__steps_note(&steps, frame_at(20, code), false);
    tm__steps_note(&steps, frame_at(kind == 0 ? 12 : 30, code + 1), kind == 1);
    if (kind == 2)
      words[29] = 0; /* the return address was elsewhere */
    tm__steps_note(&steps, frame_at(50, code + 2), false);
    assert_true(kind == 2 || steps.jumped);
    tm__steps_end(&steps, (uintptr_t)&words[20], true);
    assert_int_equal(walk_from(20, code, found), 0);
  }
}

/* More code than there is room for notes: walks are right, or not done. */
static void notes_make_room(void **state)
{
  const int at[] = {6, 11, 31};
  uintptr_t found[SOME];
  int walked = 0;
  (void)state;
  for (uintptr_t code = 0; code < 20000; code++)
    note_all(at, 3, 0x100000 + code * 16);
  for (uintptr_t code = 0; code < 20000; code++) {
    words[10] = 0x100000 + code * 16 + 1;
    words[30] = words[10] + 1;
    size_t count = walk_from(6, words[10] - 1, found);
    assert_true(count == 0 || (count == 3 && found[1] == words[10] && found[2] == words[30]));
    walked += count == 3;
  }
  assert_in_range(walked, 300, 4096);
}

#endif

/* ---- Real ones ------------------------------------------------------------------------------ */

static uint32_t agreed;
static volatile int after_call;

/* tm__stack_take and the C library's backtrace, called from one place, tell the same frames. */
TM_NOINLINE static void compare(void)
{
  tm__stack mine;
  void *theirs[TM__STACK_FRAMES + 8];
  tm__stack_take(&mine);
  int count = backtrace(theirs, (int)TM_ARRAY_LEN(theirs)), skip = 0;
  uintptr_t caller = (uintptr_t)__builtin_return_address(0);
  while (skip < count && (uintptr_t)theirs[skip] != caller)
    skip++;
  uint32_t own = 0;
  while (own < mine.depth && mine.frames[own] != caller)
    own++;
  must(own < mine.depth && skip < count);
  for (; own < mine.depth && skip < count && theirs[skip]; own++, skip++)
    must(mine.frames[own] == (uintptr_t)theirs[skip]);
  must(mine.cut || own == mine.depth);
  agreed++;
}

/* Does a walk by notes reach the end from here? Its caller's frames are what it walks. */
TM_NOINLINE static size_t walk_here(void)
{
  uintptr_t found[SOME];
  tm__step_frame caller = {.ip = (uintptr_t)__builtin_return_address(0),
                           .sp = (uintptr_t)__builtin_dwarf_cfa()};
  tm__stack taken;
  size_t count = tm__steps_walk(caller, found, SOME);
  tm__stack_take(&taken);
  return count;
}

static void the_second_time_is_by_notes(void **state)
{
  size_t walked = 0;
  (void)state;
  tm__stack_prepare();
  for (volatile int i = 0; i < 10; i++) /* one place to return to: not unrolled */
    walked = walk_here();               /* takes from the same frames at its end */
#if defined(__x86_64__)
  assert_true(walked > 2);
#else
  assert_int_equal(walked, 0);
#endif
}

TM_NOINLINE static void with_room(size_t bytes)
{
  volatile char *room = alloca(bytes);
  room[0] = room[bytes - 1] = 1;
  compare();
  after_call = room[0];
}

static void a_frame_of_any_size(void **state)
{
  (void)state;
  agreed = 0;
  for (size_t i = 0; i < SOME; i++)
    with_room(16 + i * 48 % 4096);
  assert_int_equal(agreed, SOME);
}

TM_NOINLINE static void sink(int depth)
{
  if (depth == 0) {
    compare();
  } else if (depth % 3) {
    sink(depth - 1);
  } else {
    sink(depth - 1); /* another place to return to */
    after_call = -depth;
  }
  after_call = depth;
}

static void recursion_of_any_depth(void **state)
{
  const int depths[] = {1, 2, 1, 30, 31, 7, 100, 500, 500, 3000, 3000, 5, 2};
  (void)state;
  agreed = 0;
  for (size_t i = 0; i < TM_ARRAY_LEN(depths); i++)
    sink(depths[i]);
  assert_int_equal(agreed, TM_ARRAY_LEN(depths));
}

static void on_signal(int number)
{
  after_call = number;
  compare();
}

/* A handler stands on another stack, over a function that was nowhere near a call. */
static void in_a_signal_handler(void **state)
{
  static char other[1 << 16];
  stack_t alternate = {.ss_sp = other, .ss_size = sizeof other}, before;
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK}, old;
  (void)state;
  agreed = 0;
  assert_int_equal(sigaltstack(&alternate, &before), 0);
  for (int on = 0; on < 2; on++) {
    action.sa_flags = on ? SA_ONSTACK : 0;
    assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
    for (int i = 0; i < 5; i++) {
      raise(SIGUSR1);
      sink(i);
    }
    assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
  }
  assert_int_equal(sigaltstack(&before, NULL), 0);
  assert_int_equal(agreed, 20);
}

static ucontext_t outside, inside;

static void coroutine(void)
{
  for (int i = 0;; i++) {
    sink(i % 20);
    must(walk_here() == 0);
    swapcontext(&inside, &outside);
  }
}

/* A stack of its own, below and above which is nothing. */
static void on_a_coroutines_stack(void **state)
{
  const size_t page = 4096, bytes = 64 * page;
  char *room = mmap(NULL, bytes + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  (void)state;
  assert_ptr_not_equal(room, MAP_FAILED);
  assert_int_equal(mprotect(room + page, bytes, PROT_READ | PROT_WRITE), 0);
  assert_int_equal(getcontext(&inside), 0);
  inside.uc_stack.ss_sp = room + page;
  inside.uc_stack.ss_size = bytes;
  inside.uc_link = NULL;
  makecontext(&inside, coroutine, 0);
  agreed = 0;
  for (int i = 0; i < 40; i++) {
    assert_int_equal(swapcontext(&outside, &inside), 0);
    sink(i % 7);
  }
  assert_int_equal(agreed, 80);
  assert_int_equal(munmap(room, bytes + 2 * page), 0);
}

static void in_threads(void *unused, unsigned index)
{
  (void)unused;
  tm__stack mine;
  for (int i = 0; i < SOME; i++) {
    tm__stack_take(&mine);
    must(mine.depth > 1);
    if (index == 0)
      sink(i % 10);
#if defined(__x86_64__)
    must(walk_here() > 1 || i < 2);
#endif
  }
}

static void each_thread_has_its_end(void **state)
{
  (void)state;
  agreed = 0;
  threads_run(4, in_threads, NULL);
  assert_int_equal(agreed, SOME);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
#if defined(__x86_64__)
    cmocka_unit_test(what_was_noted_is_walked),
    cmocka_unit_test(anothers_end_is_no_end),
    cmocka_unit_test(more_frames_than_room_are_counted),
    cmocka_unit_test(a_step_that_varies_is_crossed_out),
    cmocka_unit_test(leaps_are_not_learned),
    cmocka_unit_test(notes_make_room),
#endif
    cmocka_unit_test(the_second_time_is_by_notes),
    cmocka_unit_test(a_frame_of_any_size),
    cmocka_unit_test(recursion_of_any_depth),
    cmocka_unit_test(in_a_signal_handler),
    cmocka_unit_test(on_a_coroutines_stack),
    cmocka_unit_test(each_thread_has_its_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
