// Allocates through every kind of frame that C code makes; each scenario is one word of the command line.
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#define KEEP __attribute__((noinline))

static long rounds = 1000;
static volatile unsigned long sink;
static unsigned long seed = 88172645463325252ul;

static unsigned long next_random(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static KEEP void one(size_t bytes) {
    char *block = malloc(bytes);
    sink += (unsigned long)block;
    free(block);
}

// Mutual recursion with frames of different sizes, an allocation on the way down and on the way up.
static KEEP void odd(int depth);
static KEEP void even(int depth) {
    volatile char room[40];
    room[depth % 40] = 1;
    one(24);
    if (depth > 0) odd(depth - 1);
    if (depth % 3 == 0) one(32);
    sink += room[0];
}
static KEEP void odd(int depth) {
    volatile char room[200];
    room[depth % 200] = 1;
    if (depth > 0) even(depth - 1);
    one(16);
    sink += room[0];
}

static void recursion(void) {
    even(10);
    for (long i = 0; i < rounds; i++) even((int)(next_random() % 60));
    for (int i = 0; i < 20; i++) even(130 + i * 7);
    for (int i = 0; i < 4; i++) even(1200 + i);
    // Up and down around a place deeper than what is kept.
    even(400);
    for (int i = 0; i < 30; i++) even((int)(next_random() % 500));
}

// The same program counter with frames of many sizes: found by the frame pointer.
static KEEP void variable(size_t words, int depth) {
    size_t room[words];
    room[words - 1] = depth;
    one(8 * words);
    if (depth > 0) variable(1 + next_random() % 50, depth - 1);
    char *more = __builtin_alloca(next_random() % 300 + 1);
    more[0] = 1;
    one(words);
    sink += room[words - 1] + more[0];
}

static void variable_frames(void) {
    for (long i = 0; i < rounds; i++) variable(1 + next_random() % 100, next_random() % 20);
}

static int compare(const void *left, const void *right) {
    one(40);
    return *(const int *)left - *(const int *)right;
}

static void callbacks(void) {
    for (long i = 0; i < rounds; i++) {
        int numbers[400];
        size_t count = 2 + next_random() % (i % 10 ? 30 : 398);
        for (size_t j = 0; j < count; j++) numbers[j] = (int)(next_random() % 1000);
        qsort(numbers, count, sizeof(int), compare);
        bsearch(&numbers[0], numbers, count, sizeof(int), compare);
    }
}

static void handler(int number) {
    one(64 + number);
    even(5);
}

static KEEP void leaf_interrupted(void) {
    for (volatile int i = 0; i < 3; i++) raise(SIGUSR1);
}

static KEEP void on_this_stack(int depth) {
    char own[SIGSTKSZ + 16384];
    stack_t stack = {.ss_sp = own, .ss_size = sizeof own}, old;
    sigaltstack(&stack, &old);
    for (int i = 0; i < 20; i++) raise(SIGUSR2);
    if (depth > 0) leaf_interrupted();
    sigaltstack(&old, NULL);
    sink += own[0];
}

// A fault interrupts an instruction in the middle of a function, not behind a call.
static volatile int fault_count;
static char *fault_page;
static void on_fault(int number) {
    one(72 + number);
    even(3);
    fault_count++;
    // The access goes on when the page can be written.
    extern int mprotect(void *, size_t, int);
    mprotect(fault_page, 4096, 3);
}

static KEEP void touch(void) {
    *(volatile char *)fault_page = 1;
    one(8);
}

static void signals(void) {
    static char alternate[1 << 17];
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR2, &action, NULL);
    for (int alt = 0; alt < 2; alt++) {
        for (long i = 0; i < rounds; i++) {
            leaf_interrupted();
            if (alt) raise(SIGUSR2);
            one(16);
        }
        sigaltstack(&stack, NULL);
    }
    on_this_stack(3);
    extern void *mmap(void *, size_t, int, int, int, off_t);
    extern int mprotect(void *, size_t, int);
    fault_page = mmap(NULL, 4096, 1, 0x22, -1, 0);
    for (int alt = 0; alt < 2; alt++) {
        action.sa_handler = on_fault;
        action.sa_flags = alt ? SA_ONSTACK : 0;
        sigaction(SIGSEGV, &action, NULL);
        for (long i = 0; i < rounds / 4 + 1; i++) {
            mprotect(fault_page, 4096, 1);
            touch();
        }
    }
}

// A timer interrupts whatever the thread does, the walks of its own allocations as well, and the handler allocates. The next
// signal comes when this one's handler is done: the program gets on however slow the machine is.
static volatile long alarms;
static void set_alarm(void) {
    struct itimerval timer = {.it_value.tv_usec = 1 + (long)(next_random() % 200)};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void on_alarm(int number) {
    one(64 + number);
    for (int i = 0; i < 3; i++) even((int)(next_random() % 12));
    alarms++;
    set_alarm();
}

static void storm(void) {
    static char alternate[1 << 17];
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    sigaltstack(&stack, NULL);
    struct sigaction action = {.sa_handler = on_alarm};
    for (int alt = 0; alt < 2; alt++) {
        action.sa_flags = SA_RESTART | (alt ? SA_ONSTACK : 0);
        sigaction(SIGALRM, &action, NULL);
        set_alarm();
        for (long end = alarms + rounds; alarms < end;) {
            even((int)(next_random() % 40));
            variable(1 + next_random() % 30, next_random() % 6);
            for (int i = 0; i < 4; i++) one(16 + 16 * i);
        }
        struct itimerval never = {0};
        setitimer(ITIMER_REAL, &never, NULL);
    }
}

// The same at single instructions: the processor's trap flag interrupts a walk after each, and the handler allocates at every
// so many-th of them. It goes on as far as libgcc, to which the walk is compared.
#define TRAP_FLAG 0x100
typedef struct { uintptr_t start, end; } Range;
static Range runtime, unwinder;
static volatile long steps, step_at, step_by;

static int in(Range range, uintptr_t address) { return address >= range.start && address < range.end; }

static int find_ranges(struct dl_phdr_info *module, size_t size, void *data) {
    (void)size, (void)data;
    Range all = {UINTPTR_MAX, 0};
    for (int i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &module->dlpi_phdr[i];
        uintptr_t start = module->dlpi_addr + header->p_vaddr;
        if (header->p_type != PT_LOAD) continue;
        if (start < all.start) all.start = start;
        if (start + header->p_memsz > all.end) all.end = start + header->p_memsz;
    }
    if (in(all, (uintptr_t)dlsym(RTLD_DEFAULT, "malloc"))) runtime = all;
    if (strstr(module->dlpi_name, "libgcc_s")) unwinder = all;
    return 0;
}

static void on_step(int number, siginfo_t *info, void *context) {
    (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    uintptr_t pc = (uintptr_t)registers[REG_RIP];
    if (in(unwinder, pc)) registers[REG_EFL] &= ~TRAP_FLAG;
    if (!in(runtime, pc) || ++steps < step_at) return;
    step_at += step_by;
    one(64 + number);
    even(2);
}

static KEEP void step_through(size_t bytes) {
    // The red zone stays as it is.
    __asm__ volatile("lea -128(%%rsp), %%rsp\n pushfq\n orq $0x100, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp" ::: "memory", "cc");
    char *block = malloc(bytes);
    __asm__ volatile("lea -128(%%rsp), %%rsp\n pushfq\n andq $-0x101, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp" ::: "memory", "cc");
    sink += (unsigned long)block;
    free(block);
}

static KEEP void step_left(int depth, unsigned way, int allocates);
static KEEP void step_right(int depth, unsigned way, int allocates) {
    if (depth > 0 && way & 1) step_right(depth - 1, way >> 1, allocates);
    else if (depth > 0) step_left(depth - 1, way >> 1, allocates);
    else step_through(40);
    if (allocates) one(24);
}
static KEEP void step_left(int depth, unsigned way, int allocates) {
    if (allocates) one(16);
    if (depth > 0 && way & 1) step_right(depth - 1, way >> 1, allocates);
    else if (depth > 0) step_left(depth - 1, way >> 1, allocates);
    else step_through(48);
    sink++;
}

static void step_on_another_stack(int number) { step_left(3, (unsigned)number, 0); }

static void single_steps(void) {
    static char alternate[1 << 17];
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    sigaltstack(&stack, NULL);
    struct sigaction action = {.sa_handler = step_on_another_stack, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR2, &action, NULL);
    action.sa_sigaction = on_step, action.sa_flags = SA_SIGINFO;
    sigaction(SIGTRAP, &action, NULL);
    dl_iterate_phdr(find_ranges, NULL);
    for (long i = 0; i < rounds * 5; i++) {
        step_by = i < 5 ? 5 : 2 + (long)(next_random() % 500);
        step_at = 1 + (long)(next_random() % step_by);
        steps = 0;
        switch (i % 5) {
        // From a place that allocated just now; from another one; from one where each frame has; by a new way; elsewhere.
        case 0:
            for (int j = 0; j < 2; j++) step_right(5, 1, 0);
            break;
        case 1:
            even(3);
            step_left(6, 2, 0);
            break;
        case 2: step_left(8, 5, 1); break;
        case 3: step_right(14, (unsigned)next_random(), 1); break;
        default: raise(SIGUSR2);
        }
    }
}

static ucontext_t scheduler, fibers[8];
static char *fiber_stacks[8];


static int current;
static KEEP void yield_now(void) { swapcontext(&fibers[current], &scheduler); }

static KEEP void fiber_work(int depth) {
    one(24);
    if (depth % 3 == 0) yield_now();
    if (depth > 0) fiber_work(depth - 1);
    one(48);
    if (depth % 5 == 0) yield_now();
}

static void fiber(int number) {
    for (;;) {
        fiber_work(7 + number);
        variable(5, 3);
        yield_now();
    }
}

static void coroutines(void) {
    for (int i = 0; i < 8; i++) {
        getcontext(&fibers[i]);
        fiber_stacks[i] = malloc(1 << 16);
        fibers[i].uc_stack.ss_sp = fiber_stacks[i];
        fibers[i].uc_stack.ss_size = 1 << 16;
        fibers[i].uc_link = &scheduler;
        makecontext(&fibers[i], (void (*)(void))fiber, 1, i);
    }
    for (long i = 0; i < rounds * 4; i++) {
        current = (int)(next_random() % 8);
        swapcontext(&scheduler, &fibers[current]);
        if (i % 3 == 0) even(4);
    }
}

// What libc allocates on its own.
static KEEP void libc_calls(void) {
    char *line = NULL, *text = NULL;
    size_t room = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    for (int i = 0; i < 5 && file && getline(&line, &room, file) > 0; i++) sink += room;
    if (file) fclose(file);
    if (asprintf(&text, "%s %d %f", line ? line : "", 3, 2.5) > 0) sink += text[0];
    free(text);
    free(line);
    regex_t regex;
    if (regcomp(&regex, "(a|b)*[c-f]{2,3}(gh|ij)+$", REG_EXTENDED) == 0) {
        sink += regexec(&regex, "abcdghij", 0, NULL, 0);
        regfree(&regex);
    }
    char *copy = strdup("text");
    sink += copy[0];
    free(copy);
    FILE *memory = open_memstream(&text, &room);
    fprintf(memory, "%0500d", 1);
    fclose(memory);
    free(text);
    setenv("HEAPCHECK_TEST_VARIABLE", "value", 1);
}

static void *thread_work(void *argument) {
    (void)argument;
    for (long i = 0; i < rounds / 8 + 1; i++) {
        even((int)(i % 20));
        if (i % 16 == 0) libc_calls();
        variable(3, 4);
    }
    return NULL;
}

static void threads(void) {
    for (int round = 0; round < 3; round++) {
        pthread_t ids[6];
        for (int i = 0; i < 6; i++) pthread_create(&ids[i], NULL, thread_work, NULL);
        for (int i = 0; i < 6; i++) pthread_join(ids[i], NULL);
    }
}

// Libraries come and go at the same address, with the same call at the same place behind frames of other sizes.
static void *call_library(void *name) {
    void *library = dlopen(name, RTLD_NOW);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        exit(3);
    }
    void (*work)(void (*)(size_t), int) = (void (*)(void (*)(size_t), int))dlsym(library, "library_work");
    for (int i = 0; i < 20; i++) work(one, i % 5);
    dlclose(library);
    return NULL;
}

static void libraries(char **names, int count) {
    pthread_t id;
    for (long i = 0; i < rounds / 10 + 1; i++) {
        call_library(names[i % count]);
        one(33);
        if (i % 8 == 0 && pthread_create(&id, NULL, call_library, names[i % count]) == 0) pthread_join(id, NULL);
    }
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    rounds = atol(argv[2]);
    const char *what = argv[1];
    if (!strcmp(what, "recursion")) recursion();
    else if (!strcmp(what, "variable")) variable_frames();
    else if (!strcmp(what, "callbacks")) callbacks();
    else if (!strcmp(what, "signals")) signals();
    else if (!strcmp(what, "storm")) storm();
    else if (!strcmp(what, "steps")) single_steps();
    else if (!strcmp(what, "coroutines")) coroutines();
    else if (!strcmp(what, "libc")) for (long i = 0; i < rounds; i++) libc_calls();
    else if (!strcmp(what, "threads")) threads();
    else if (!strcmp(what, "libraries")) libraries(argv + 3, argc - 3);
    else return 2;
    return 0;
}
