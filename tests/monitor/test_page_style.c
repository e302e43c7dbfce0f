/* The page's style sheet is the one that its policy allows. */
#include "monitor/client.h"

#include "monitor/page_style.h"

/* The browser obeys only a style with this hash; another tool computes it again. */
static void style_has_its_hash(void **state)
{
  char line[256] = "";
  (void)state;
  if (system("command -v sha256sum >/dev/null && command -v base64 >/dev/null")) {
    puts("SKIP: sha256sum and base64 are not installed");
    skip();
  }
  FILE *file = fopen("style.css", "w");
  assert_non_null(file);
  fputs(tm__page_style, file);
  fclose(file);
  FILE *tool = popen("printf sha256-; sha256sum <style.css | cut -c1-64 | tr -d '\\n' | "
                     "sed 's/../\\\\x&/g' | xargs -0 printf | base64",
                     "r");
  assert_non_null(fgets(line, sizeof line, tool));
  pclose(tool);
  unlink("style.css");
  line[strcspn(line, "\n")] = 0;
  assert_string_equal(TM__PAGE_STYLE_HASH, line); /* left: what page_style.h must say is right */
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(style_has_its_hash)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
