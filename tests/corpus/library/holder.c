/* A library that holds blocks for the program: in a global, in a thread-local, or not at all. */
#include "support.h"

void *volatile global_held;
static __thread void *volatile thread_held;

void hold_in_global(size_t size) { global_held = allocate(size); }
void hold_in_thread(size_t size) { thread_held = allocate(size); }
void hold_nowhere(size_t size) { lose(size); }
