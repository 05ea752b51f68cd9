#ifndef HS_TESTS_COUNTED_H
#define HS_TESTS_COUNTED_H

/* As _exit(), for a child that went its own way to the end: in `make cover`
 * what it has executed counts. */
void counted_exit(int code) __attribute__((noreturn));

#endif
