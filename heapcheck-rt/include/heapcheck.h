/* heapcheck.h: what a C or C++ program may ask of heapcheck while it runs.
 *
 * The answers come from the runtime that is injected into the process (LD_PRELOAD, or linked in for static programs).
 * Nothing here needs a library: the runtime's functions are declared weak, and each is called through an inline
 * function that first looks whether it is there. Without the runtime, or when HEAPCHECK is unset, the program runs as
 * if none of this had been written: checks find nothing, scopes are 0, heapcheck_is_active() is 0.
 *
 * Every function may be called from any thread, and none from a signal handler.
 *
 * gcc resolves an absent weak function to nothing at link time in code that is not position-independent: with -fno-pie
 * add -fno-plt, or the runtime is never found.
 */
#ifndef HEAPCHECK_H
#define HEAPCHECK_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Declares the runtime's function `heapcheck_<name>` under a private C name, so that the inline function below may bear
 * the public one. The assembler names keep the two apart where the inline function is not inlined. */
#define HEAPCHECK_DECLARE_(type, name, params)                                                                        \
    extern type heapcheck_runtime_##name params __asm__("heapcheck_" #name) __attribute__((weak));                    \
    static inline type heapcheck_##name params __asm__("heapcheck_inline_" #name);

HEAPCHECK_DECLARE_(int, is_active, (void))
HEAPCHECK_DECLARE_(unsigned, scope_begin, (const char *name))
HEAPCHECK_DECLARE_(long, scope_check, (unsigned scope))
HEAPCHECK_DECLARE_(void, scope_end, (unsigned scope))
HEAPCHECK_DECLARE_(void, disable, (void))
HEAPCHECK_DECLARE_(void, enable, (void))
HEAPCHECK_DECLARE_(void, ignore, (const void *address))
HEAPCHECK_DECLARE_(void, root_region_add, (const void *address, size_t size_bytes))
HEAPCHECK_DECLARE_(void, root_region_remove, (const void *address, size_t size_bytes))
HEAPCHECK_DECLARE_(long, check_now, (void))

#undef HEAPCHECK_DECLARE_

/* Returns 1 when this process is being checked, 0 otherwise. */
static inline int heapcheck_is_active(void) {
    return heapcheck_runtime_is_active ? heapcheck_runtime_is_active() : 0;
}

/* Opens a scope: it owns what this thread, and the threads started in it, allocate until heapcheck_scope_end(). Scopes
 * nest. `name` is copied and may be NULL. Returns the scope, or 0 when nothing is checked. */
static inline unsigned heapcheck_scope_begin(const char *name) {
    return heapcheck_runtime_scope_begin ? heapcheck_runtime_scope_begin(name) : 0;
}

/* Looks now which blocks of the scope are lost, and reports them. Returns their bytes, or -1 when no check was possible.
 * What the caller still holds, in a variable or a register, is not lost. */
static inline long heapcheck_scope_check(unsigned scope) {
    return heapcheck_runtime_scope_check ? heapcheck_runtime_scope_check(scope) : 0;
}

/* Closes the scope on this thread; what was open before it is open again. */
static inline void heapcheck_scope_end(unsigned scope) {
    if (heapcheck_runtime_scope_end) heapcheck_runtime_scope_end(scope);
}

/* What this thread allocates from here on is never a leak, until heapcheck_enable(). Pairs nest. */
static inline void heapcheck_disable(void) {
    if (heapcheck_runtime_disable) heapcheck_runtime_disable();
}

/* Ends the innermost heapcheck_disable() of this thread. */
static inline void heapcheck_enable(void) {
    if (heapcheck_runtime_enable) heapcheck_runtime_enable();
}

/* The block that holds `address` is meant to stay: it is no leak, and neither is what it points at. */
static inline void heapcheck_ignore(const void *address) {
    if (heapcheck_runtime_ignore) heapcheck_runtime_ignore(address);
}

/* The words of [address, address + size_bytes) keep blocks alive, until the same region is removed. For memory that
 * heapcheck does not see by itself, such as a shared mapping. */
static inline void heapcheck_root_region_add(const void *address, size_t size_bytes) {
    if (heapcheck_runtime_root_region_add) heapcheck_runtime_root_region_add(address, size_bytes);
}

/* Takes back one heapcheck_root_region_add() of exactly this region. */
static inline void heapcheck_root_region_remove(const void *address, size_t size_bytes) {
    if (heapcheck_runtime_root_region_remove) heapcheck_runtime_root_region_remove(address, size_bytes);
}

/* Checks the whole process now and lets it run on. Returns the bytes leaked so far, or -1 when no check was possible. */
static inline long heapcheck_check_now(void) {
    return heapcheck_runtime_check_now ? heapcheck_runtime_check_now() : 0;
}

#ifdef __cplusplus
}
#endif

#endif /* HEAPCHECK_H */
