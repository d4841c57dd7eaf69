/* Compiles a flat list of rules with libseccomp: what our own filters are compared with (native/src/sandbox/seccomp/oracle.rs).
 *
 * Standard input, a line each:
 *   arch NAME                                      x86_64, x86, x32, aarch64, arm
 *   default ACTION                                 as the kernel has it, a number
 *   rule ACTION NAME [ARGUMENT:OPERATOR:A:B]...    OPERATOR as in enum scmp_compare
 * Standard output: the program. Standard error: a line for each NAME that this libseccomp does not know; its rule is left out. */

#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what, int error) {
  fprintf(stderr, "seccomp-oracle: %s: %s\n", what, strerror(-error));
  exit(1);
}

static void add_rule(scmp_filter_ctx filter, uint32_t action, char *name) {
  struct scmp_arg_cmp conditions[6];
  unsigned int count = 0;
  int number = seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR) {
    fprintf(stderr, "%s\n", name);
    return;
  }
  for (char *text = strtok(NULL, " \n"); text && count < 6; text = strtok(NULL, " \n")) {
    unsigned int argument, operator;
    unsigned long long a, b;
    if (sscanf(text, "%u:%u:%llu:%llu", &argument, &operator, &a, &b) != 4) fail(text, 0);
    conditions[count++] = (struct scmp_arg_cmp){argument, (enum scmp_compare) operator, a, b};
  }
  int error = seccomp_rule_add_array(filter, action, number, count, conditions);
  if (error) fail(name, error);
}

int main(void) {
  char line[4096];
  char architectures[8][16];
  int count = 0, error;
  scmp_filter_ctx filter = NULL;
  while (fgets(line, sizeof line, stdin)) {
    char *kind = strtok(line, " \n"), *first = strtok(NULL, " \n");
    if (!kind || !first) continue;
    if (!strcmp(kind, "arch")) {
      snprintf(architectures[count++], sizeof architectures[0], "%s", first);
    } else if (!strcmp(kind, "default")) {
      filter = seccomp_init((uint32_t)strtoul(first, NULL, 0));
      if (!filter) fail("seccomp_init", 0);
      if ((error = seccomp_arch_remove(filter, SCMP_ARCH_NATIVE))) fail("seccomp_arch_remove", error);
      for (int each = 0; each < count; each++)
        if ((error = seccomp_arch_add(filter, seccomp_arch_resolve_name(architectures[each])))) fail(architectures[each], error);
    } else {
      add_rule(filter, (uint32_t)strtoul(first, NULL, 0), strtok(NULL, " \n"));
    }
  }
  /* As runc does for a long list. */
  if ((error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2))) fail("seccomp_attr_set", error);
  if ((error = seccomp_export_bpf(filter, 1))) fail("seccomp_export_bpf", error);
  return 0;
}
